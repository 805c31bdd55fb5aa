// Pixels that augmentations take from one sample into another.
#pragma once

#include <algorithm>
#include <cstdint>

#include "data/example.h"

namespace atrous::data::augment {

struct Rectangle {
    int64_t top, left, h, w;
};

// Whether pixels can go from one to the other: of one size and kind of numbers, and both with labels.
inline bool are_alike(const Example& a, const Example& b) {
    const auto alike = [](const Image& x, const Image& y) {
        return x.h == y.h && x.w == y.w && x.c == y.c && x.is_16bit() == y.is_16bit() && x.is_float() == y.is_float();
    };
    return alike(a.image, b.image) && a.labels.h == a.image.h && b.labels.h == b.image.h;
}

// One row of `count` pixels.
inline void copy_row(const Image& from, int64_t y, int64_t x, Image& to, int64_t to_y, int64_t to_x, int64_t count) {
    dispatch_pixels(to, [&](auto zero) {
        using T = decltype(zero);
        std::copy_n(from.pixels<T>().data() + (y * from.w + x) * from.c, count * from.c,
                    to.pixels<T>().data() + (to_y * to.w + to_x) * to.c);
    });
}

// Image and labels of `from`, beginning at (top, left), become the rectangle of `to`.
inline void copy_part(const Example& from, int64_t top, int64_t left, Example& to, const Rectangle& part) {
    for (int64_t y = 0; y < part.h; ++y) {
        copy_row(from.image, top + y, left, to.image, part.top + y, part.left, part.w);
        copy_row(from.labels, top + y, left, to.labels, part.top + y, part.left, part.w);
    }
}

}  // namespace atrous::data::augment
