// resize_bilinear, of whole images and row by row. The horizontal pass takes 16 rows at a time, interleaved so that one vector holds the same sample of
// every row: the taps of an output pixel then need no gathers, whatever the number of channels.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "data/transform.h"
#include "kernels/augmented_sample.h"

namespace atrous::data {

namespace {

constexpr int weight_bits = kernels::filter_bits;  // devices weigh by the same
constexpr int64_t lanes = 16;

template <class T>
struct Arithmetic;
template <>
struct Arithmetic<uint8_t> {
    using Weight = int32_t;
    static Weight weight(double w) { return Weight(w * (1 << weight_bits) + (w < 0 ? -0.5 : 0.5)); }
    static constexpr Weight start = 1 << (weight_bits - 1);
    static uint8_t finish(Weight sum) { return uint8_t(std::clamp(sum >> weight_bits, 0, 255)); }
};
template <>
struct Arithmetic<uint16_t> {
    using Weight = float;
    static Weight weight(double w) { return Weight(w); }
    static constexpr Weight start = 0.5f;
    static uint16_t finish(Weight sum) { return uint16_t(std::clamp(sum, 0.f, 65535.f)); }
};
template <>
struct Arithmetic<float> {
    using Weight = float;
    static Weight weight(double w) { return Weight(w); }
    static constexpr Weight start = 0;
    static float finish(Weight sum) { return sum; }
};

// Output i is the sum over k of weights[i * taps + k] * input[first[i] + k], k < count[i].
template <class W>
struct Filter {
    int64_t taps = 0;
    std::vector<int64_t> first, count;
    std::vector<W> weights;
};

// The inputs that one output is the sum of. One piece of code, so that whoever asks for the same output gets the same
// rounding.
[[gnu::noinline]] Columns taps_of(int64_t i, int64_t in, int64_t out) {
    const double scale = double(in) / double(out), support = std::max(scale, 1.0);
    const double centre = (double(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(int64_t(centre - support + 0.5), 0);
    return {first, std::min(int64_t(centre + support + 0.5), in) - first};
}

// Of the outputs `part`, which `first` counts from the first input that they need.
template <class T>
auto triangle_filter(int64_t in, int64_t out, Columns part) {
    using A = Arithmetic<T>;
    Filter<typename A::Weight> filter;
    const double scale = double(in) / double(out), support = std::max(scale, 1.0), narrow = 1.0 / support;
    filter.taps = int64_t(std::ceil(support)) * 2 + 1;
    filter.weights.assign(size_t(part.count * filter.taps), 0);
    std::vector<double> exact(static_cast<size_t>(filter.taps));
    const int64_t origin = taps_of(part.first, in, out).first;
    for (int64_t i = 0; i < part.count; ++i) {
        const double centre = (double(part.first + i) + 0.5) * scale;
        const auto [first, count] = taps_of(part.first + i, in, out);
        double total = 0;
        for (int64_t k = 0; k < count; ++k) {
            exact[size_t(k)] = std::max(0.0, 1.0 - std::abs((double(k + first) - centre + 0.5) * narrow));
            total += exact[size_t(k)];
        }
        for (int64_t k = 0; k < count; ++k)
            filter.weights[size_t(i * filter.taps + k)] = A::weight(exact[size_t(k)] / total);
        filter.first.push_back(first - origin);
        filter.count.push_back(count);
    }
    return filter;
}

// Transposes 16 x 16 values: four times, the rows of the upper and of the lower half are interleaved.
template <class T>
void transpose_tile(const T* from, int64_t row, T* to) {
    typedef T Row __attribute__((vector_size(lanes * sizeof(T))));
    Row rows[lanes], mixed[lanes];
    for (int64_t lane = 0; lane < lanes; ++lane) std::memcpy(&rows[lane], from + lane * row, sizeof(Row));
    for (int round = 0; round < 4; ++round) {
        for (int64_t j = 0; j < lanes / 2; ++j) {
            const Row a = rows[j], b = rows[j + lanes / 2];
            mixed[2 * j] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            mixed[2 * j + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        std::copy(mixed, mixed + lanes, rows);
    }
    std::memcpy(to, rows, sizeof rows);
}

// Sample i of `rows` rows side by side, at to[i * lanes].
template <class T>
void interleave(const T* from, T* to, int64_t rows, int64_t row) {
    int64_t i = 0;
    if (rows == lanes)
        for (; i + lanes <= row; i += lanes) transpose_tile(from + i, row, to + i * lanes);
    for (; i < row; ++i)
        for (int64_t lane = 0; lane < rows; ++lane) to[i * lanes + lane] = from[lane * row + i];
}

// Adds the weighted samples of one output value, 16 rows at a time, by vectors of 8 sums. Left to itself the compiler
// unrolls the loop over rows instead, and fuses multiplication and addition in some of them only.
template <class T, class W>
void add_taps(const T* samples, int64_t step, const W* weights, int64_t taps, W* sums) {
    constexpr int64_t half = lanes / 2;
    typedef T Values __attribute__((vector_size(half * sizeof(T))));
    typedef int32_t Integers __attribute__((vector_size(half * sizeof(int32_t))));
    typedef W Sums __attribute__((vector_size(half * sizeof(W))));
    Sums sum[2];
    std::memcpy(sum, sums, sizeof sum);
    for (int64_t k = 0; k < taps; ++k, samples += step) {
        Values values[2];
        std::memcpy(values, samples, sizeof values);
        for (int s = 0; s < 2; ++s)
            if constexpr (std::is_same_v<T, float>)
                sum[s] += weights[k] * values[s];
            else
                sum[s] += weights[k] * __builtin_convertvector(__builtin_convertvector(values[s], Integers), Sums);
    }
    std::memcpy(sums, sum, sizeof sum);
}

template <class T, class W>
void filter_rows(const T* from, T* to, int64_t rows, int64_t in_w, int c, const Filter<W>& filter) {
    const int64_t out_w = int64_t(filter.first.size()), in_row = in_w * c, out_row = out_w * c;
    std::vector<T> interleaved(size_t(in_row * lanes));
    for (int64_t y = 0; y < rows; y += lanes) {
        const int64_t block = std::min(lanes, rows - y);
        interleave(from + y * in_row, interleaved.data(), block, in_row);
        for (int64_t x = 0; x < out_w; ++x) {
            const W* weights = filter.weights.data() + x * filter.taps;
            for (int ch = 0; ch < c; ++ch) {
                W sums[lanes];
                for (W& sum : sums) sum = Arithmetic<T>::start;
                add_taps(interleaved.data() + (filter.first[size_t(x)] * c + ch) * lanes, c * lanes, weights,
                         filter.count[size_t(x)], sums);
                for (int64_t lane = 0; lane < block; ++lane)
                    to[(y + lane) * out_row + x * c + ch] = Arithmetic<T>::finish(sums[lane]);
            }
        }
    }
}

// Output rows [begin, end), from input rows of which `from` is row `from_row`.
template <class T, class W>
void filter_columns(const T* from, int64_t from_row, T* to, int64_t row, const Filter<W>& filter, size_t begin,
                    size_t end) {
    std::vector<W> sums(static_cast<size_t>(row));
    for (size_t y = begin; y < end; ++y, to += row) {
        std::fill(sums.begin(), sums.end(), Arithmetic<T>::start);
        const W* weights = filter.weights.data() + int64_t(y) * filter.taps;
        for (int64_t k = 0; k < filter.count[y]; ++k) {
            const T* samples = from + (filter.first[y] + k - from_row) * row;
            for (int64_t i = 0; i < row; ++i) sums[size_t(i)] += weights[k] * W(samples[i]);
        }
        for (int64_t i = 0; i < row; ++i) to[i] = Arithmetic<T>::finish(sums[size_t(i)]);
    }
}

}  // namespace

ByteFilter byte_filter(int64_t in, int64_t out) {
    auto filter = triangle_filter<uint8_t>(in, out, {0, out});
    return {filter.taps, std::move(filter.first), std::move(filter.count), std::move(filter.weights)};
}

Image resize_bilinear(const Image& image, int64_t h, int64_t w) {
    require(h > 0 && w > 0, "resize_bilinear: a positive size");
    if (h == image.h && w == image.w) return image;
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        Image wide;
        const Image* source = &image;
        if (w != image.w) {
            wide = make_image<T>(image.h, w, image.c);
            filter_rows(image.pixels<T>().data(), wide.pixels<T>().data(), image.h, image.w, image.c,
                        triangle_filter<T>(image.w, w, {0, w}));
            source = &wide;
        }
        if (h == image.h) return wide;
        Image out = make_image<T>(h, w, image.c);
        filter_columns(source->pixels<T>().data(), 0, out.pixels<T>().data(), w * image.c,
                       triangle_filter<T>(image.h, h, {0, h}), 0, size_t(h));
        return out;
    });
}

// The element type shows when the first rows come.
class RowResizer::State {
 public:
    virtual ~State() = default;
    virtual Image next(const NextRows& source, int64_t count) = 0;
};

template <class T>
class RowResizer::StateOf : public State {
 public:
    StateOf(Image first, int64_t in_h, int64_t in_w, int64_t h, int64_t w, Columns columns)
        : in_h_(in_h),
          same_height_(h == in_h),
          same_width_(w == in_w),
          held_(make_image<T>(0, columns.count, first.c)) {
        if (!same_width_) across_ = triangle_filter<T>(in_w, w, columns);
        if (!same_height_) down_ = triangle_filter<T>(in_h, h, {0, h});
        append(std::move(first));
    }

    Image next(const NextRows& source, int64_t count) override {
        Image out = make_image<T>(count, held_.w, held_.c);
        const int64_t row = held_.w * held_.c;
        for (int64_t i = 0; i < count; ++i, ++y_) {
            const int64_t from = same_height_ ? y_ : down_.first[size_t(y_)];
            const int64_t to = same_height_ ? y_ + 1 : from + down_.count[size_t(y_)];
            drop_before(from);
            while (first_ + held_.h < to) append(source(std::min(lanes, in_h_ - first_ - held_.h)));
            if (same_height_)
                copy_rows(held_, from - first_, 1, out, i);
            else
                filter_columns(held_.pixels<T>().data(), first_, out.pixels<T>().data() + i * row, row, down_,
                               size_t(y_), size_t(y_) + 1);
        }
        return out;
    }

 private:
    void append(Image rows) {
        if (!same_width_) {
            Image wide = make_image<T>(rows.h, held_.w, rows.c);
            filter_rows(rows.pixels<T>().data(), wide.pixels<T>().data(), rows.h, rows.w, rows.c, across_);
            rows = std::move(wide);
        }
        held_.pixels<T>().insert(held_.pixels<T>().end(), rows.pixels<T>().begin(), rows.pixels<T>().end());
        held_.h += rows.h;
    }
    // Some at a time, because it moves those that stay.
    void drop_before(int64_t row) {
        const int64_t dropped = std::min(row - first_, held_.h);
        if (dropped < std::max(lanes, held_.h / 2)) return;
        auto& pixels = held_.pixels<T>();
        pixels.erase(pixels.begin(), pixels.begin() + dropped * held_.w * held_.c);
        held_.h -= dropped;
        first_ += dropped;
    }

    using Weights = Filter<typename Arithmetic<T>::Weight>;
    const int64_t in_h_;
    const bool same_height_, same_width_;
    Weights across_, down_;
    Image held_;  // input rows from first_ on, at the output's width
    int64_t first_ = 0, y_ = 0;
};

RowResizer::RowResizer(NextRows source, int64_t in_h, int64_t in_w, int64_t h, int64_t w, Columns columns)
    : source_(std::move(source)), in_h_(in_h), in_w_(in_w), h_(h), w_(w), columns_(columns) {
    require(h > 0 && columns.count > 0 && columns.end() <= w, "RowResizer: a positive size");
}
RowResizer::~RowResizer() = default;

Columns RowResizer::source_columns(int64_t in_w, int64_t w, Columns columns) {
    if (in_w == w) return columns;
    const int64_t first = taps_of(columns.first, in_w, w).first;
    return {first, taps_of(columns.end() - 1, in_w, w).end() - first};
}

Image RowResizer::next(int64_t count) {
    if (!state_) {
        Image first = source_(std::min(lanes, in_h_));
        dispatch_pixels(first, [&](auto zero) {
            state_ = std::make_unique<StateOf<decltype(zero)>>(std::move(first), in_h_, in_w_, h_, w_, columns_);
        });
    }
    return state_->next(source_, count);
}

}  // namespace atrous::data
