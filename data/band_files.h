// Reading an image whose channels are files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/image_rows.h"

namespace atrous::data {

// The image whose channels are these files, in their order: gray images of one type of values. All have the size of the
// largest, or a whole part of it, the same along both sides (Sentinel-2's 20 m beside its 10 m): those are enlarged by
// resize_bilinear. DataError otherwise, and as load_image does.
Image load_bands(const std::vector<std::string>& files);

// The same, row by row; memory: that of open_rows for each file.
std::unique_ptr<ImageRows> open_bands(const std::vector<std::string>& files, int64_t whole_up_to = 0);

// The first of the files that has the size of the whole image.
std::string band_of_full_size(const std::vector<std::string>& files);

}  // namespace atrous::data
