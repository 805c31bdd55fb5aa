// Changes of an image's values that leave its geometry, and so its labels, as they are. Each keeps values within the
// range and rounds integers; alpha is no exception, so callers take care of what the channels are.
#pragma once

#include <array>

#include "base/philox.h"
#include "data/value_range.h"

namespace atrous::data {

// A 3x3 matrix, row by row, that mixes red, green and blue, each as its distance from the range's low end.
using ColourMatrix = std::array<double, 9>;
// Keeps the luma (ITU-R 601), multiplies the chroma (U, V) by `saturation` and turns it by `hue` of a full circle.
ColourMatrix saturation_and_hue(double saturation, double hue);
Image mix_colours(const Image& rgb, const ColourMatrix& matrix, const ValueRange& range = {});

// v -> low + (high - low) ((v - low) / (high - low))^exponent
Image apply_gamma(const Image& image, double exponent, const ValueRange& range = {});

// Convolution with a Gaussian of this standard deviation in pixels, cut off at 3 of them and normalized; mirrored at the
// border.
Image gaussian_blur(const Image& image, double deviation);

// Adds normal numbers of this standard deviation, relative to the range, to each value by itself. They are the midpoints of
// 4096 equally likely intervals: within 3.7 standard deviations.
Image add_noise(const Image& image, double deviation, Random& random, const ValueRange& range = {});

// What a JPEG of this quality, 1 to 100 and with chroma at full resolution, keeps of an image of 8 bits, gray or RGB.
Image through_jpeg(const Image& image, int quality);

}  // namespace atrous::data
