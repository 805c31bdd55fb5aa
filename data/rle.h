// Run-length masks as Kaggle's lists hold them: "start length start length …", starts counted from 1 in ascending order,
// along the rows (Carvana) or down the columns (Airbus, DSB2018, Severstal, …). Pixels of a run are 1, the others 0.
#pragma once

#include <string>

#include "data/image.h"

namespace atrous::data {

enum class RunOrder { rows, columns };

// `where` begins the messages: the file and line the text comes from. Throws DataError for anything but pairs of
// numbers, runs that overlap, go back, or leave the image. An empty text and -1 are empty
// masks.
Image decode_rle(const std::string& text, int64_t h, int64_t w, const std::string& where,
                 RunOrder order = RunOrder::rows);
std::string encode_rle(const Image& mask);  // along the rows; one channel of 8 bits; any value but 0 is inside

}  // namespace atrous::data
