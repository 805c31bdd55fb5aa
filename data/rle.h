// Run-length masks as Carvana's train_masks.csv writes them: "start length start length …", starts counted from 1 along
// the rows, in ascending order. Pixels of a run are 1, the others 0.
#pragma once

#include <string>

#include "data/image.h"

namespace atrous::data {

// `where` begins the messages: the file and line the text comes from. Throws DataError for anything but pairs of
// numbers, runs that overlap, go back, or leave the image. An empty text is an empty mask.
Image decode_rle(const std::string& text, int64_t h, int64_t w, const std::string& where);
std::string encode_rle(const Image& mask);  // one channel of 8 bits; any value but 0 is inside

}  // namespace atrous::data
