// Geometry and normalization of images. A mask is a one-channel 8-bit Image of class ids and goes through the same
// functions, except that it is resized by resize_nearest only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/columns.h"
#include "data/value_range.h"

namespace atrous::data {

// Separable triangle filter whose support grows when shrinking (no aliasing). 8-bit results equal PIL's BILINEAR bit
// for bit: weights of 22 bits, the horizontal pass first and rounded to 8 bits. Others are filtered in float.
Image resize_bilinear(const Image& image, int64_t h, int64_t w);

// The weights by which resize_bilinear makes `out` 8-bit values of `in`: value i is the sum over k < count[i] of
// weights[i * taps + k] * input[first[i] + k], in units of 2^-22.
struct ByteFilter {
    int64_t taps = 0;
    std::vector<int64_t> first, count;
    std::vector<int32_t> weights;
};
ByteFilter byte_filter(int64_t in, int64_t out);

// resize_bilinear, to the bit, of an image of which only some rows are there at a time: those that come in and those
// that an output row is the sum of; and of these rows, some columns alone.
class RowResizer {
 public:
    using NextRows = std::function<Image(int64_t count)>;  // the next rows of the input, from the top
    RowResizer(NextRows source, int64_t in_h, int64_t in_w, int64_t h, int64_t w)
        : RowResizer(std::move(source), in_h, in_w, h, w, {0, w}) {}
    // Gives these columns of the output. The source's rows are of the columns source_columns(in_w, w, columns).
    RowResizer(NextRows source, int64_t in_h, int64_t in_w, int64_t h, int64_t w, Columns columns);
    // The columns of the input that those of the output are sums of.
    static Columns source_columns(int64_t in_w, int64_t w, Columns columns);
    ~RowResizer();
    Image next(int64_t count);  // the next rows of the output

 private:
    class State;
    template <class T>
    class StateOf;
    const NextRows source_;
    const int64_t in_h_, in_w_, h_, w_;
    const Columns columns_;
    std::unique_ptr<State> state_;
};

// Output pixel (y, x) is input pixel (floor((y + 1/2) h_in / h), floor((x + 1/2) w_in / w)), in exact integers.
Image resize_nearest(const Image& image, int64_t h, int64_t w);

// Copies `count` rows from row `first` of an image to row `to_first` of another of its width, channels and type.
void copy_rows(const Image& from, int64_t first, int64_t count, Image& to, int64_t to_first);
Image crop(const Image& image, int64_t y, int64_t x, int64_t h, int64_t w);
// Places the image with its corner at (top, left) of an h x w canvas filled with `fill`, one value a channel.
using Fill = std::array<float, max_channels>;
Image pad(const Image& image, int64_t top, int64_t left, int64_t h, int64_t w, const Fill& fill);
Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);
Image transpose(const Image& image);                    // output (x, y) is input (y, x)
Image rotate90(const Image& image, int quarter_turns);  // counter-clockwise, as numpy.rot90

// The index that position i stands for when a line is mirrored at its ends (edge pixels not repeated).
inline int64_t mirrored(int64_t i, int64_t size) {
    if (i >= 0 && i < size) return i;
    if (size == 1) return 0;
    const int64_t period = 2 * (size - 1);
    i = ((i % period) + period) % period;
    return i < size ? i : period - i;
}

inline double radians_of(double degrees) { return degrees * 3.14159265358979323846 / 180; }

// Counter-clockwise about the centre, same size; what comes from outside is mirrored at the border. Bilinear for
// images, nearest for masks, sampling the same points.
enum class Sampling { bilinear, nearest };
Image rotate(const Image& image, double degrees, Sampling sampling);

// v -> clamp(low + (mean + (v - mean) * contrast - low) * brightness), mean over the whole image, within the range;
// alpha is kept.
Image adjust(const Image& image, double brightness, double contrast, const ValueRange& range = {});

// 1: luma (ITU-R 601, as PIL's L) of RGB; 3: gray is repeated, alpha is dropped; else as many as the image has.
bool can_become(const Image& image, int channels);
Image to_channels(Image image, int channels);

// ((v - low) / (high - low) - mean) / stddev, with the bounds of a ValueRange. Channel i uses entry i, or i - 3, i - 6 …
struct Normalization {
    std::array<float, 3> mean{0, 0, 0}, stddev{1, 1, 1};
    ValueRange range = {};
    static Normalization imagenet() { return {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}; }
};

// What each value v < `levels` of an image's integers becomes with these bounds, kind after kind: channel i is of kind i % 3.
std::vector<float> normalized_levels(size_t levels, size_t kinds, const ValueRange& bounds, const Normalization& how);
// Writes rows of the image to out[y * row_stride + x * c + ch].
void normalize(const Image& image, const Normalization& how, float* out, int64_t row_stride);

}  // namespace atrous::data
