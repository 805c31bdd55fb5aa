// Geometry and normalization of images. A mask is a one-channel 8-bit Image of class ids and goes through the same
// functions, except that it is resized by resize_nearest only.
#pragma once

#include <array>
#include <cstdint>

#include "data/image.h"

namespace atrous::data {

// Separable triangle filter whose support grows when shrinking (no aliasing). 8-bit results equal PIL's BILINEAR bit
// for bit: weights of 22 bits, the horizontal pass first and rounded to 8 bits. 16-bit images are filtered in float.
Image resize_bilinear(const Image& image, int64_t h, int64_t w);

// Output pixel (y, x) is input pixel (floor((y + 1/2) h_in / h), floor((x + 1/2) w_in / w)), in exact integers.
Image resize_nearest(const Image& image, int64_t h, int64_t w);

Image crop(const Image& image, int64_t y, int64_t x, int64_t h, int64_t w);
// Places the image with its corner at (top, left) of an h x w canvas filled with `fill`, one value a channel.
Image pad(const Image& image, int64_t top, int64_t left, int64_t h, int64_t w, const std::array<uint16_t, 4>& fill);
Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);
Image transpose(const Image& image);                    // output (x, y) is input (y, x)
Image rotate90(const Image& image, int quarter_turns);  // counter-clockwise, as numpy.rot90

// Counter-clockwise about the centre, same size; what comes from outside is mirrored at the border. Bilinear for
// images, nearest for masks, sampling the same points.
enum class Sampling { bilinear, nearest };
Image rotate(const Image& image, double degrees, Sampling sampling);

// v -> clamp(mean + (v - mean) * contrast, then * brightness), mean over the whole image; alpha is kept.
Image adjust(const Image& image, double brightness, double contrast);

// 1: luma (ITU-R 601, as PIL's L); 3: gray is repeated, alpha is dropped.
Image to_channels(const Image& image, int channels);

// (v / 255 - mean) / stddev; 16-bit values are divided by 65535. A one-channel image uses the first entries.
struct Normalization {
    std::array<float, 3> mean{0, 0, 0}, stddev{1, 1, 1};
    static Normalization imagenet() { return {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}; }
};

// Writes rows of the image to out[y * row_stride + x * c + ch].
void normalize(const Image& image, const Normalization& how, float* out, int64_t row_stride);

}  // namespace atrous::data
