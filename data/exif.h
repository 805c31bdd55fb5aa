// Reads the one thing that EXIF says about the pixels: which way is up.
#pragma once

#include <cstdint>
#include <span>

#include "data/image.h"

namespace atrous::data {

// Reads the orientation, 1 to 8, from a TIFF structure as JPEG and PNG carry it; 1 where it says nothing legible.
int exif_orientation(std::span<const uint8_t> tiff);

// The image as it was seen: row and column 0 of orientations 1 to 8 are top left, top right, bottom right, bottom
// left, left top, right top, right bottom, left bottom. Others leave it as it is.
Image apply_orientation(const Image& image, int orientation);

}  // namespace atrous::data
