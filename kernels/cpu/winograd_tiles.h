// The tiles of a convolution by Winograd's filtering: m x m pixels of its output, which side x side pixels of its input
// give. With dilation d the image is d x d images of every d-th pixel, and so are the pixels of a tile.
#pragma once

#include <algorithm>

#include "base/view.h"
#include "kernels/cpu/register_tile.h"

namespace atrous::kernels::cpu::winograd {

inline constexpr int64_t lanes = Vector<float>::lanes, panel_channels = 2 * lanes;
inline int64_t padded(int64_t channels) { return ceil_div(channels, lanes) * lanes; }
// Floats from one row to the next: an odd number of cache lines, so that rows never crowd into a few sets of a cache.
inline int64_t row_of(int64_t channels) { return (ceil_div(channels, 16) | 1) * 16; }

template <int m>
struct Tiles {
    static constexpr int side = m + 2, points = side * side;
    int64_t height, width, dilation;  // of the output
    int64_t rows = ceil_div(ceil_div(height, dilation), m), columns = ceil_div(ceil_div(width, dilation), m);
    int64_t shifts_down = std::min(dilation, height), shifts_right = std::min(dilation, width);  // that have pixels

    int64_t an_image() const { return shifts_down * shifts_right * rows * columns; }
    struct Tile {
        int64_t n, p, q;  // its first pixel in the output; may lie outside of it
    };
    Tile at(int64_t index) const {
        const int64_t x = index % columns, y = index / columns % rows, phase = index / (columns * rows);
        const int64_t n = phase / (shifts_down * shifts_right), shift = phase % (shifts_down * shifts_right);
        return {n, shift / shifts_right + y * m * dilation, shift % shifts_right + x * m * dilation};
    }
};

// Pixel (i, j) begins at from + i * row + j * pixel.
struct Window {
    const float* from;
    int64_t row, pixel;
};

// size x size pixels of image n, `step` apart, the first at (h, w). Where some lie outside, and count as zero, or a vector
// of the last would overrun the tensor, it is a copy in `space`, which has room for that many pixels of padded channels.
template <int size>
Window window_of(const View& v, int64_t n, int64_t h, int64_t w, int64_t step, float* space) {
    const int64_t last_h = h + (size - 1) * step, last_w = w + (size - 1) * step;
    const float* image = v.as<const float>() + n * v.h * v.w * v.c;
    if (h >= 0 && w >= 0 && last_h < v.h && last_w < v.w &&
        ((n * v.h + last_h) * v.w + last_w) * v.c + padded(v.c) <= v.pixels() * v.c)
        return {image + (h * v.w + w) * v.c, step * v.w * v.c, step * v.c};
    const int64_t pixel = padded(v.c);
    float* to = space;
    for (int i = 0; i < size; ++i)
        for (int j = 0; j < size; ++j, to += pixel) {
            const int64_t y = h + i * step, x = w + j * step;
            if (y >= 0 && y < v.h && x >= 0 && x < v.w)
                std::copy_n(image + (y * v.w + x) * v.c, v.c, to);
            else
                std::fill_n(to, v.c, 0.f);
        }
    return {space, size * pixel, pixel};
}

// f(i) for all i below count: by the threads of the region together, or by this one.
template <class F>
void each(bool shared, int64_t count, F f) {
    if (!shared) {
        for (int64_t i = 0; i < count; ++i) f(i);
        return;
    }
#pragma omp for schedule(static)
    for (int64_t i = 0; i < count; ++i) f(i);
}

}  // namespace atrous::kernels::cpu::winograd
