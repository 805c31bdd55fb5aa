#include "data/warp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "data/mask.h"

namespace atrous::data {

Projection operator*(const Projection& a, const Projection& b) {
    Projection product{};
    for (size_t row = 0; row < 3; ++row)
        for (size_t column = 0; column < 3; ++column)
            for (size_t k = 0; k < 3; ++k) product[3 * row + column] += a[3 * row + k] * b[3 * k + column];
    return product;
}

Projection rotation_of(double degrees) {
    const double cosine = std::cos(radians_of(degrees)), sine = std::sin(radians_of(degrees));
    return {cosine, -sine, 0, sine, cosine, 0, 0, 0, 1};
}

// What is shown moves against the positions that it comes from.
Projection shear_of(double degrees) { return {1, -std::tan(radians_of(degrees)), 0, 0, 1, 0, 0, 0, 1}; }
Projection shift_of(double right, double down) { return {1, 0, -right, 0, 1, -down, 0, 0, 1}; }

Projection perspective_of(const std::array<double, 8>& corners, int64_t h, int64_t w) {
    const double x0 = corners[0], y0 = corners[1], x1 = 1 + corners[2], y1 = corners[3];
    const double x2 = 1 + corners[4], y2 = 1 + corners[5], x3 = corners[6], y3 = 1 + corners[7];
    const double dx1 = x1 - x2, dx2 = x3 - x2, sx = x0 - x1 + x2 - x3;
    const double dy1 = y1 - y2, dy2 = y3 - y2, sy = y0 - y1 + y2 - y3;
    const double area = dx1 * dy2 - dx2 * dy1;
    const double g = (sx * dy2 - dx2 * sy) / area, k = (dx1 * sy - sx * dy1) / area;
    const Projection of_unit_square{
        x1 - x0 + g * x1, x3 - x0 + k * x3, x0, y1 - y0 + g * y1, y3 - y0 + k * y3, y0, g, k, 1};
    const double half_w = 0.5 * double(w), half_h = 0.5 * double(h);
    const Projection to_unit{0.5 / half_w, 0, 0.5, 0, 0.5 / half_h, 0.5, 0, 0, 1};
    const Projection from_unit{double(w), 0, -half_w, 0, double(h), -half_h, 0, 0, 1};
    return from_unit * of_unit_square * to_unit;
}

// ---- the elastic grid ----

namespace {

// Weights of the four control points around a position by t of a cell behind the second.
std::array<double, 4> spline_weights(double t) {
    const double u = 1 - t;
    return {u * u * u / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * u * u * u - 6 * u * u + 4) / 6, t * t * t / 6};
}

int64_t controls(int64_t size, double cell) { return int64_t(std::floor(double(size - 1) / cell)) + 4; }

}  // namespace

ElasticGrid::ElasticGrid(int64_t h, int64_t w, int64_t cells, double strength, Random& random)
    : cell_(double(std::min(h, w)) / double(cells)), columns_(controls(w, cell_)) {
    const double largest = strength * cell_ / 4;
    const auto count = size_t(columns_ * controls(h, cell_));
    for (std::vector<double>* component : {&x_, &y_})
        for (size_t i = 0; i < count; ++i) component->push_back(random.uniform(-largest, largest));
    for (int64_t x = 0; x < w; ++x) {
        const auto first = size_t(double(x) / cell_);
        column_of_.push_back({first, spline_weights(double(x) / cell_ - double(first))});
    }
}

void ElasticGrid::displace(int64_t y, std::vector<double>& xs, std::vector<double>& ys) const {
    const auto row = int64_t(double(y) / cell_);
    const std::array<double, 4> rows = spline_weights(double(y) / cell_ - double(row));
    std::vector<double> dx(static_cast<size_t>(columns_)), dy(dx);
    for (int64_t k = 0; k < 4; ++k)
        for (int64_t i = 0; i < columns_; ++i) {
            dx[size_t(i)] += rows[size_t(k)] * x_[size_t((row + k) * columns_ + i)];
            dy[size_t(i)] += rows[size_t(k)] * y_[size_t((row + k) * columns_ + i)];
        }
    for (size_t x = 0; x < xs.size(); ++x) {
        const Column& column = column_of_[x];
        for (size_t k = 0; k < 4; ++k) {
            xs[x] += column.weights[k] * dx[column.first + k];
            ys[x] += column.weights[k] * dy[column.first + k];
        }
    }
}

// ---- resampling ----

namespace {

// The positions that the pixels of an output row show, as indices of the source: pixel centres are whole numbers.
// Infinite where a projection has none: on its horizon and beyond.
struct SourceRow {
    std::vector<double> x, y;
};

void find_positions(const Warp& how, int64_t row, int64_t h, SourceRow& positions) {
    const auto w = int64_t(positions.x.size());
    const double middle_x = 0.5 * double(w - 1), middle_y = 0.5 * double(h - 1);
    for (int64_t x = 0; x < w; ++x) {
        positions.x[size_t(x)] = double(x) - middle_x;
        positions.y[size_t(x)] = double(row) - middle_y;
    }
    if (how.elastic.moves()) how.elastic.displace(row, positions.x, positions.y);
    const Projection& p = how.projection;
    constexpr double horizon = 1e-3, far = 1e8;  // so that positions stay numbers
    for (size_t i = 0; i < positions.x.size(); ++i) {
        const double x = positions.x[i], y = positions.y[i];
        const double distance = p[6] * x + p[7] * y + p[8];
        if (distance < horizon) {
            positions.x[i] = positions.y[i] = std::numeric_limits<double>::infinity();
            continue;
        }
        const double scale = 1 / distance;
        positions.x[i] = std::clamp((p[0] * x + p[1] * y + p[2]) * scale + middle_x, -far, far);
        positions.y[i] = std::clamp((p[3] * x + p[4] * y + p[5]) * scale + middle_y, -far, far);
    }
}

// Pixel centres are whole numbers, so pixels reach by a half around them.
bool outside(double position, int64_t size) { return position < -0.5 || position >= double(size) - 0.5; }

int64_t floor_of(double v) {
    const auto whole = int64_t(v);
    return whole - (double(whole) > v);
}

// Samples one row of an image.
template <class T>
class RowSampler {
 public:
    RowSampler(const Image& from, const Fill& fill, Border border)
        : from_(from), pixels_(from.pixels<T>().data()), border_(border) {
        for (int ch = 0; ch < from.c; ++ch) fill_[size_t(ch)] = T(fill[size_t(ch)]);
    }

    void bilinear(const SourceRow& at, T* to) const {
        if (from_.c == 3) return bilinear(at, to, std::integral_constant<int, 3>());
        if (from_.c == 1) return bilinear(at, to, std::integral_constant<int, 1>());
        bilinear(at, to, from_.c);
    }

    // Of one channel.
    void nearest(const SourceRow& at, T* to) const {
        for (size_t i = 0; i < at.x.size(); ++i)
            to[i] = exposed(at, i) ? fill_[0]
                                   : *pixel(mirrored(floor_of(at.y[i] + 0.5), from_.h),
                                            mirrored(floor_of(at.x[i] + 0.5), from_.w), 1);
    }

 private:
    // `channels` is a number, or one that the compiler knows.
    template <class Channels>
    void bilinear(const SourceRow& at, T* to, Channels channels) const {
        constexpr float half = std::is_integral_v<T> ? 0.5f : 0.f;  // rounds
        const int c = channels;
        for (size_t i = 0; i < at.x.size(); ++i, to += c) {
            if (exposed(at, i)) {
                for (int ch = 0; ch < c; ++ch) to[ch] = fill_[size_t(ch)];
                continue;
            }
            const int64_t y = floor_of(at.y[i]), x = floor_of(at.x[i]);
            const auto fy = float(at.y[i] - double(y)), fx = float(at.x[i] - double(x));
            const T *p00, *p01, *p10, *p11;
            if (y >= 0 && x >= 0 && y + 1 < from_.h && x + 1 < from_.w) {
                p00 = pixel(y, x, c), p01 = p00 + c, p10 = p00 + from_.w * c, p11 = p10 + c;
            } else {
                const int64_t y0 = mirrored(y, from_.h), y1 = mirrored(y + 1, from_.h);
                const int64_t x0 = mirrored(x, from_.w), x1 = mirrored(x + 1, from_.w);
                p00 = pixel(y0, x0, c), p01 = pixel(y0, x1, c), p10 = pixel(y1, x0, c), p11 = pixel(y1, x1, c);
            }
            for (int ch = 0; ch < c; ++ch) {
                const float above = float(p00[ch]) * (1 - fx) + float(p01[ch]) * fx;
                const float below = float(p10[ch]) * (1 - fx) + float(p11[ch]) * fx;
                to[ch] = T(above * (1 - fy) + below * fy + half);
            }
        }
    }

    bool exposed(const SourceRow& at, size_t i) const {
        return std::isinf(at.x[i]) ||
               (border_ == Border::ignore && (outside(at.y[i], from_.h) || outside(at.x[i], from_.w)));
    }
    const T* pixel(int64_t y, int64_t x, int c) const { return pixels_ + (y * from_.w + x) * c; }

    const Image& from_;
    const T* pixels_;
    const Border border_;
    std::array<T, max_channels> fill_{};
};

}  // namespace

void warp(Example& sample, const Warp& how) {
    const Image& image = sample.image;
    const int64_t h = image.h, w = image.w;
    SourceRow at{std::vector<double>(static_cast<size_t>(w)), std::vector<double>(static_cast<size_t>(w))};
    Image labels = sample.labels.h ? make_image<uint8_t>(h, w, 1) : Image{};
    const RowSampler<uint8_t> label_rows(sample.labels, {float(ignored_class)}, how.border);
    Image warped = dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image out = make_image<T>(h, w, image.c);
        const RowSampler<T> rows(image, sample.fill, how.border);
        for (int64_t y = 0; y < h; ++y) {
            find_positions(how, y, h, at);
            rows.bilinear(at, out.pixels<T>().data() + y * w * image.c);
            if (labels.h) label_rows.nearest(at, labels.u8.data() + y * w);
        }
        return out;
    });
    sample.image = std::move(warped);
    sample.labels = std::move(labels);
}

}  // namespace atrous::data
