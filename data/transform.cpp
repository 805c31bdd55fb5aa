#include "data/transform.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/error.h"

namespace atrous::data {

namespace {

// Where input pixel (y, x) of an h x w image goes, for exact rearrangements.
template <class F>
Image rearrange(const Image& image, int64_t h, int64_t w, F source) {
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(h, w, image.c);
        const T* from = image.pixels<T>().data();
        T* to = out.pixels<T>().data();
        for (int64_t y = 0; y < h; ++y)
            for (int64_t x = 0; x < w; ++x, to += image.c) {
                const T* pixel = from + source(y, x) * image.c;
                for (int ch = 0; ch < image.c; ++ch) to[ch] = pixel[ch];
            }
        return out;
    });
}

}  // namespace

Image resize_nearest(const Image& image, int64_t h, int64_t w) {
    require(h > 0 && w > 0, "resize_nearest: a positive size");
    if (h == image.h && w == image.w) return image;
    std::vector<int64_t> column(static_cast<size_t>(w));
    for (int64_t x = 0; x < w; ++x) column[size_t(x)] = (2 * x + 1) * image.w / (2 * w);
    return rearrange(image, h, w, [&](int64_t y, int64_t x) {
        return (2 * y + 1) * image.h / (2 * h) * image.w + column[size_t(x)];
    });
}

void copy_rows(const Image& from, int64_t first, int64_t count, Image& to, int64_t to_first) {
    require(from.w == to.w && from.c == to.c && first + count <= from.h && to_first + count <= to.h,
            "copy_rows: rows of both images, of one width");
    const int64_t row = from.w * from.c;
    dispatch_pixels(from, [&](auto zero) {
        using T = decltype(zero);
        std::copy_n(from.pixels<T>().data() + first * row, count * row, to.pixels<T>().data() + to_first * row);
    });
}

Image crop(const Image& image, int64_t y, int64_t x, int64_t h, int64_t w) {
    require(y >= 0 && x >= 0 && h > 0 && w > 0 && y + h <= image.h && x + w <= image.w, "crop: inside the image");
    return rearrange(image, h, w, [&](int64_t r, int64_t s) { return (y + r) * image.w + x + s; });
}

Image pad(const Image& image, int64_t top, int64_t left, int64_t h, int64_t w, const Fill& fill) {
    require(top >= 0 && left >= 0 && top + image.h <= h && left + image.w <= w, "pad: the image fits the canvas");
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(h, w, image.c);
        T* to = out.pixels<T>().data();
        for (int64_t i = 0; i < out.count(); ++i) to[i] = T(fill[size_t(i % image.c)]);
        const int64_t row = image.w * image.c;
        for (int64_t y = 0; y < image.h; ++y)
            std::copy_n(image.pixels<T>().data() + y * row, row, to + ((top + y) * w + left) * image.c);
        return out;
    });
}

Image flip_horizontal(const Image& image) {
    return rearrange(image, image.h, image.w, [&](int64_t y, int64_t x) { return y * image.w + image.w - 1 - x; });
}

Image flip_vertical(const Image& image) {
    return rearrange(image, image.h, image.w, [&](int64_t y, int64_t x) { return (image.h - 1 - y) * image.w + x; });
}

Image transpose(const Image& image) {
    return rearrange(image, image.w, image.h, [&](int64_t y, int64_t x) { return x * image.w + y; });
}

Image rotate90(const Image& image, int quarter_turns) {
    const int64_t h = image.h, w = image.w;
    switch (((quarter_turns % 4) + 4) % 4) {
        case 1:
            return rearrange(image, w, h, [=](int64_t y, int64_t x) { return x * w + w - 1 - y; });
        case 2:
            return rearrange(image, h, w, [=](int64_t y, int64_t x) { return (h - 1 - y) * w + w - 1 - x; });
        case 3:
            return rearrange(image, w, h, [=](int64_t y, int64_t x) { return (h - 1 - x) * w + y; });
        default:
            return image;
    }
}

// The value that lies by this share between a and b.
static double between(double a, double b, double share) { return std::fma(1 - share, a, std::fma(share, b, 0.0)); }

// Every product that is added is fused, or rounded by itself, by name: a device computes the same bits (kernels/augment.h).
Image rotate(const Image& image, double degrees, Sampling sampling) {
    const double radians = radians_of(degrees), cosine = std::cos(radians), sine = std::sin(radians);
    const double middle_y = 0.5 * double(image.h - 1), middle_x = 0.5 * double(image.w - 1);
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        constexpr double half = std::is_integral_v<T> ? 0.5 : 0;  // rounds
        Image out = make_image<T>(image.h, image.w, image.c);
        const T* from = image.pixels<T>().data();
        T* to = out.pixels<T>().data();
        const auto at = [&](int64_t y, int64_t x) {
            return from + (mirrored(y, image.h) * image.w + mirrored(x, image.w)) * image.c;
        };
        for (int64_t y = 0; y < image.h; ++y)
            for (int64_t x = 0; x < image.w; ++x, to += image.c) {
                const double dy = double(y) - middle_y, dx = double(x) - middle_x;
                const double sy = std::fma(sine, dx, std::fma(cosine, dy, middle_y));
                const double sx = std::fma(cosine, dx, middle_x) - std::fma(sine, dy, 0.0);
                if (sampling == Sampling::nearest) {
                    std::copy_n(at(std::llround(sy), std::llround(sx)), image.c, to);
                    continue;
                }
                const int64_t y0 = int64_t(std::floor(sy)), x0 = int64_t(std::floor(sx));
                const double fy = sy - double(y0), fx = sx - double(x0);
                const T *a = at(y0, x0), *b = at(y0, x0 + 1), *c = at(y0 + 1, x0), *d = at(y0 + 1, x0 + 1);
                for (int ch = 0; ch < image.c; ++ch)
                    to[ch] = T(between(between(a[ch], b[ch], fx), between(c[ch], d[ch], fx), fy) + half);
            }
        return out;
    });
}

Image adjust(const Image& image, double brightness, double contrast, const ValueRange& range) {
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        constexpr bool whole = std::is_integral_v<T>;
        const ValueRange bounds = range.of(image);
        double low = bounds.low, high = bounds.high;
        if (whole) {
            low = std::max(low, 0.0);
            high = std::min(high, double(std::numeric_limits<T>::max()));
        }
        const int colours = std::min(image.c, 3);
        Image out = image;
        std::vector<T>& values = out.pixels<T>();
        std::conditional_t<whole, int64_t, double> sum = 0;
        for (size_t i = 0; i < values.size(); ++i)
            if (int(i % size_t(image.c)) < colours) sum += values[i];
        const double mean = double(sum) / double(image.h * image.w * colours);
        const auto changed = [&](double v) {
            return std::clamp(std::fma(std::fma(v - mean, contrast, mean) - low, brightness, low), low, high);
        };
        std::vector<T> table;
        if constexpr (whole)
            for (size_t v = 0; v <= std::numeric_limits<T>::max(); ++v) table.push_back(T(changed(double(v)) + 0.5));
        for (size_t i = 0; i < values.size(); ++i) {
            if (int(i % size_t(image.c)) >= colours) continue;
            if constexpr (whole)
                values[i] = table[values[i]];
            else
                values[i] = T(changed(values[i]));
        }
        return out;
    });
}

bool can_become(const Image& image, int channels) {
    if (image.c == channels) return true;
    const bool colours = image.c == 3 || image.c == 4;
    return (channels == 1 && colours) || (channels == 3 && (image.c == 1 || image.c == 4));
}

Image to_channels(Image image, int channels) {
    require(can_become(image, channels), "to_channels: the image's channels, or 1 or 3 of gray, RGB and RGBA");
    if (image.c == channels) return image;
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(image.h, image.w, channels);
        const T* from = image.pixels<T>().data();
        T* to = out.pixels<T>().data();
        for (int64_t i = 0; i < image.h * image.w; ++i, from += image.c, to += channels) {
            if (channels == 3)
                for (int ch = 0; ch < 3; ++ch) to[ch] = from[image.c == 1 ? 0 : ch];
            else if constexpr (std::is_integral_v<T>)
                to[0] = T((19595u * from[0] + 38470u * from[1] + 7471u * uint64_t(from[2]) + 0x8000u) >> 16);
            else
                to[0] = (19595 * from[0] + 38470 * from[1] + 7471 * from[2]) / 65536;
        }
        return out;
    });
}

std::vector<float> normalized_levels(size_t levels, size_t kinds, const ValueRange& bounds, const Normalization& how) {
    std::vector<float> table(levels * kinds);
    for (size_t v = 0; v < levels; ++v)
        for (size_t ch = 0; ch < kinds; ++ch)
            table[ch * levels + v] =
                ((float(v) - bounds.low) / (bounds.high - bounds.low) - how.mean[ch]) / how.stddev[ch];
    return table;
}

namespace {

// One division a level, not a pixel.
template <class T>
void normalize_levels(const Image& image, const Normalization& how, float* out, int64_t row_stride) {
    constexpr size_t levels = size_t(std::numeric_limits<T>::max()) + 1;
    const auto kinds = size_t(std::min(image.c, 3));
    const std::vector<float> table = normalized_levels(levels, kinds, how.range.of(image), how);
    const float *t0 = table.data(), *t1 = t0 + levels, *t2 = t1 + levels;
    const T* from = image.pixels<T>().data();
    for (int64_t y = 0; y < image.h; ++y) {
        float* to = out + y * row_stride;
        if (image.c == 1)
            for (int64_t x = 0; x < image.w; ++x) to[x] = t0[*from++];
        else if (image.c == 3)
            for (int64_t x = 0; x < image.w; ++x, from += 3, to += 3) {
                to[0] = t0[from[0]];
                to[1] = t1[from[1]];
                to[2] = t2[from[2]];
            }
        else
            for (int64_t x = 0; x < image.w; ++x)
                for (size_t ch = 0; ch < size_t(image.c); ++ch) *to++ = table[ch % 3 * levels + *from++];
    }
}

void normalize_floats(const Image& image, const Normalization& how, float* out, int64_t row_stride) {
    const ValueRange bounds = how.range.of(image);
    const float* from = image.f32.data();
    for (int64_t y = 0; y < image.h; ++y)
        for (int64_t i = 0; i < image.w * image.c; ++i) {
            const auto kind = size_t(i % image.c % 3);
            out[y * row_stride + i] =
                ((*from++ - bounds.low) / (bounds.high - bounds.low) - how.mean[kind]) / how.stddev[kind];
        }
}

}  // namespace

void normalize(const Image& image, const Normalization& how, float* out, int64_t row_stride) {
    dispatch_pixels(image, [&](auto zero) {
        if constexpr (std::is_integral_v<decltype(zero)>)
            normalize_levels<decltype(zero)>(image, how, out, row_stride);
        else
            normalize_floats(image, how, out, row_stride);
    });
}

}  // namespace atrous::data
