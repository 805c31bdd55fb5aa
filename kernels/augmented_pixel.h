// One pixel of an augmented image: the arithmetic that every backend shares. All of it is constexpr, which host and device
// code may call alike. No product is added without fma, so that no compiler decides about rounding.
#pragma once

#include "kernels/augment.h"

namespace atrous::kernels {

struct Position {
    int32_t y = 0, x = 0;
};

// Where a position of the batch's image lies.
enum class Area : uint8_t { image, padding, beyond };  // padding: of the crop; beyond: of the batch, outside the crop

struct Origin {
    Area area = Area::beyond;
    Position at = {};  // of the resized image
};

constexpr Origin origin_of(const AugmentedSample& s, int32_t y, int32_t x) {
    if (y >= s.crop_h || x >= s.crop_w) return {};
    const Position at{s.from[0][0] * y + s.from[0][1] * x + s.from[0][2] + s.top,
                      s.from[1][0] * y + s.from[1][1] * x + s.from[1][2] + s.left};
    const bool inside = at.y >= 0 && at.y < s.resized_h && at.x >= 0 && at.x < s.resized_w;
    return {inside ? Area::image : Area::padding, at};
}

constexpr int32_t floor_of(double v) {
    const auto whole = int32_t(v);
    return whole - (double(whole) > v);
}

// Halves away from zero.
constexpr int32_t nearest_of(double v) {
    const auto whole = int32_t(v);
    const double rest = v - double(whole);
    return whole + (rest >= 0.5) - (rest <= -0.5);
}

// The pixel that position i stands for when the line is mirrored at its ends, whose pixels are not repeated.
constexpr int32_t mirrored(int32_t i, int32_t size) {
    if (size == 1) return 0;
    const int32_t period = 2 * (size - 1), within = i % period, place = within < 0 ? within + period : within;
    return place < size ? place : period - place;
}

// ---- resizing ----

constexpr const int32_t* entry_of(const FilterPlace& axis, const int32_t* filters, int32_t position) {
    return filters + axis.at + int64_t(position) * (filter_head + axis.taps);
}

constexpr int32_t weighed_from(const int32_t* entry) { return entry[1]; }
constexpr int32_t weighed_count(const int32_t* entry) { return entry[2]; }

constexpr int32_t round_to_byte(int32_t sum) {
    const int32_t v = sum >> filter_bits;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

struct ResizedImage {
    const AugmentedSample& s;
    const uint8_t* pixels;   // of the sample
    const int32_t* filters;  // of all
    int32_t channels;

    constexpr int32_t stored(int64_t y, int64_t x, int32_t c) const { return pixels[(y * s.w + x) * channels + c]; }
    constexpr int32_t across(int64_t y, int32_t x, int32_t c) const {
        if (s.columns.at == no_filter) return stored(y, x, c);
        const int32_t* const entry = entry_of(s.columns, filters, x);
        int32_t sum = 1 << (filter_bits - 1);
        for (int32_t k = 0; k < weighed_count(entry); ++k)
            sum += entry[filter_head + k] * stored(y, weighed_from(entry) + k, c);
        return round_to_byte(sum);
    }
    constexpr int32_t at(int32_t y, int32_t x, int32_t c) const {
        if (s.rows.at == no_filter) return across(y, x, c);
        const int32_t* const entry = entry_of(s.rows, filters, y);
        int32_t sum = 1 << (filter_bits - 1);
        for (int32_t k = 0; k < weighed_count(entry); ++k)
            sum += entry[filter_head + k] * across(weighed_from(entry) + k, x, c);
        return round_to_byte(sum);
    }
};

// Of the labels of a sample.
struct ResizedLabels {
    const AugmentedSample& s;
    const uint8_t* ids;
    const int32_t* filters;

    static constexpr int32_t nearest(const FilterPlace& axis, const int32_t* filters, int32_t position) {
        return axis.at == no_filter ? position : entry_of(axis, filters, position)[0];
    }
    constexpr uint8_t at(Position p) const {
        return ids[int64_t(nearest(s.rows, filters, p.y)) * s.w + nearest(s.columns, filters, p.x)];
    }
};

// ---- rotation ----

struct RotatedPoint {
    double y, x;
};

constexpr RotatedPoint rotated(const AugmentedSample& s, Position at) {
    const double middle_y = 0.5 * double(s.resized_h - 1), middle_x = 0.5 * double(s.resized_w - 1);
    const double dy = double(at.y) - middle_y, dx = double(at.x) - middle_x;
    return {__builtin_fma(s.sine, dx, __builtin_fma(s.cosine, dy, middle_y)),
            __builtin_fma(s.cosine, dx, middle_x) - __builtin_fma(s.sine, dy, 0.0)};
}

// The value that lies by this share between a and b.
constexpr double between(double a, double b, double share) {
    return __builtin_fma(1 - share, a, __builtin_fma(share, b, 0.0));
}

// Where a pixel of the resized image is read: at (y[0], x[0]), or between four pixels; and its label.
struct Reading {
    int32_t y[2], x[2];
    double fy, fx;
    Position label;
};

constexpr Reading reading_of(const AugmentedSample& s, Position at) {
    if (!s.rotates) return {{at.y, at.y}, {at.x, at.x}, 0, 0, at};
    const RotatedPoint p = rotated(s, at);
    const int32_t y = floor_of(p.y), x = floor_of(p.x);
    return {{mirrored(y, s.resized_h), mirrored(y + 1, s.resized_h)},
            {mirrored(x, s.resized_w), mirrored(x + 1, s.resized_w)},
            p.y - double(y),
            p.x - double(x),
            {mirrored(nearest_of(p.y), s.resized_h), mirrored(nearest_of(p.x), s.resized_w)}};
}

constexpr uint8_t read(const ResizedImage& image, const Reading& r, int32_t c) {
    if (!image.s.rotates) return uint8_t(image.at(r.y[0], r.x[0], c));
    const double upper = between(image.at(r.y[0], r.x[0], c), image.at(r.y[0], r.x[1], c), r.fx);
    const double lower = between(image.at(r.y[1], r.x[0], c), image.at(r.y[1], r.x[1], c), r.fx);
    return uint8_t(between(upper, lower, r.fy) + 0.5);
}

// ---- colour ----

// Channels whose values count for the mean and change.
constexpr int32_t colours_of(int64_t channels) { return channels < 3 ? int32_t(channels) : 3; }

// What byte v becomes where the crop's values of all colours have this sum.
constexpr uint8_t changed_byte(const AugmentedSample& s, int64_t sum, int32_t colours, int32_t v) {
    const double mean = double(sum) / double(int64_t(s.crop_h) * s.crop_w * colours);
    const double low = s.low > 0 ? s.low : 0, high = s.high < 255 ? s.high : 255;
    const double contrasted = __builtin_fma(double(v) - mean, s.contrast, mean) - low;
    const double changed = __builtin_fma(contrasted, s.brightness, low);
    return uint8_t((changed < low ? low : changed > high ? high : changed) + 0.5);
}

}  // namespace atrous::kernels
