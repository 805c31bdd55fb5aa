#include "data/transform.h"

#include <algorithm>
#include <cmath>

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

// Index of the pixel that position i stands for when the line is mirrored at its ends (edge pixels not repeated).
int64_t mirrored(int64_t i, int64_t size) {
    if (size == 1) return 0;
    const int64_t period = 2 * (size - 1);
    i = ((i % period) + period) % period;
    return i < size ? i : period - i;
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

Image crop(const Image& image, int64_t y, int64_t x, int64_t h, int64_t w) {
    require(y >= 0 && x >= 0 && h > 0 && w > 0 && y + h <= image.h && x + w <= image.w, "crop: inside the image");
    return rearrange(image, h, w, [&](int64_t r, int64_t s) { return (y + r) * image.w + x + s; });
}

Image pad(const Image& image, int64_t top, int64_t left, int64_t h, int64_t w, const std::array<uint16_t, 4>& fill) {
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

Image rotate(const Image& image, double degrees, Sampling sampling) {
    const double radians = degrees * 3.14159265358979323846 / 180, cosine = std::cos(radians), sine = std::sin(radians);
    const double middle_y = 0.5 * double(image.h - 1), middle_x = 0.5 * double(image.w - 1);
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(image.h, image.w, image.c);
        const T* from = image.pixels<T>().data();
        T* to = out.pixels<T>().data();
        const auto at = [&](int64_t y, int64_t x) {
            return from + (mirrored(y, image.h) * image.w + mirrored(x, image.w)) * image.c;
        };
        for (int64_t y = 0; y < image.h; ++y)
            for (int64_t x = 0; x < image.w; ++x, to += image.c) {
                const double dy = double(y) - middle_y, dx = double(x) - middle_x;
                const double sy = middle_y + cosine * dy + sine * dx, sx = middle_x + cosine * dx - sine * dy;
                if (sampling == Sampling::nearest) {
                    std::copy_n(at(std::llround(sy), std::llround(sx)), image.c, to);
                    continue;
                }
                const int64_t y0 = int64_t(std::floor(sy)), x0 = int64_t(std::floor(sx));
                const double fy = sy - double(y0), fx = sx - double(x0);
                const T *a = at(y0, x0), *b = at(y0, x0 + 1), *c = at(y0 + 1, x0), *d = at(y0 + 1, x0 + 1);
                for (int ch = 0; ch < image.c; ++ch)
                    to[ch] = T((1 - fy) * ((1 - fx) * a[ch] + fx * b[ch]) + fy * ((1 - fx) * c[ch] + fx * d[ch]) + 0.5);
            }
        return out;
    });
}

Image adjust(const Image& image, double brightness, double contrast) {
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        const double top = sizeof(T) == 1 ? 255 : 65535;
        const int colours = std::min(image.c, 3);
        Image out = image;
        std::vector<T>& values = out.pixels<T>();
        int64_t sum = 0;
        for (size_t i = 0; i < values.size(); ++i)
            if (int(i % size_t(image.c)) < colours) sum += values[i];
        const double mean = double(sum) / double(image.h * image.w * colours);
        std::vector<T> table(size_t(top) + 1);
        for (size_t v = 0; v < table.size(); ++v)
            table[v] = T(std::clamp((mean + (double(v) - mean) * contrast) * brightness, 0.0, top) + 0.5);
        for (size_t i = 0; i < values.size(); ++i)
            if (int(i % size_t(image.c)) < colours) values[i] = table[values[i]];
        return out;
    });
}

Image to_channels(const Image& image, int channels) {
    require(channels == 1 || channels == 3, "to_channels: 1 or 3");
    if (image.c == channels) return image;
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(image.h, image.w, channels);
        const T* from = image.pixels<T>().data();
        T* to = out.pixels<T>().data();
        for (int64_t i = 0; i < image.h * image.w; ++i, from += image.c, to += channels) {
            if (channels == 1)
                to[0] = T((19595u * from[0] + 38470u * from[1] + 7471u * uint64_t(from[2]) + 0x8000u) >> 16);
            else
                for (int ch = 0; ch < 3; ++ch) to[ch] = from[image.c == 1 ? 0 : ch];
        }
        return out;
    });
}

void normalize(const Image& image, const Normalization& how, float* out, int64_t row_stride) {
    require(image.c == 1 || image.c == 3, "normalize: 1 or 3 channels");
    dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        constexpr size_t levels = sizeof(T) == 1 ? 256 : 65536;
        std::vector<float> table(levels * size_t(image.c));  // one division a level, not a pixel
        for (size_t v = 0; v < levels; ++v)
            for (size_t ch = 0; ch < size_t(image.c); ++ch)
                table[ch * levels + v] = (float(v) / float(levels - 1) - how.mean[ch]) / how.stddev[ch];
        const float *t0 = table.data(), *t1 = t0 + levels, *t2 = t1 + levels;
        const T* from = image.pixels<T>().data();
        for (int64_t y = 0; y < image.h; ++y) {
            float* to = out + y * row_stride;
            if (image.c == 1)
                for (int64_t x = 0; x < image.w; ++x) to[x] = t0[*from++];
            else
                for (int64_t x = 0; x < image.w; ++x, from += 3, to += 3) {
                    to[0] = t0[from[0]];
                    to[1] = t1[from[1]];
                    to[2] = t2[from[2]];
                }
        }
    });
}

}  // namespace atrous::data
