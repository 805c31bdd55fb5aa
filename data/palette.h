// Masks for people to look at.
#pragma once

#include "data/value_range.h"

namespace atrous::data {

// The 256 colours of Pascal VOC: class 0 black, 255 the border's cream.
Palette voc_palette();
// VOC's, except that two-class masks are black and white.
Palette mask_palette(int class_count);

// 256 colours of labels in bits: the mean of the colours of a label's classes, black for a pixel of none.
Palette blended_palette(const Palette& colours);

// The image as colours of 8 bits, its values stretched by their range: the first three channels, or the first repeated
// where there are fewer.
Image to_8bit_rgb(const Image& image, const ValueRange& range = {});

// Class ids in colour.
Image colourize(const Image& labels, const Palette& palette);

// The image with its objects tinted and outlined. Black is background, which stays as it is (VOC's and two-class
// palettes have class 0 so, Cityscapes' has a road there); ignored pixels are greyed.
Image overlay(const Image& image, const Image& labels, const Palette& palette, double opacity = 0.45);

}  // namespace atrous::data
