#include "kernels/distance_transform.h"

#include <algorithm>

namespace atrous {

// Distances within columns. A column without a pixel has `none`, which is beyond any distance in the image.
template <class Int>
static void column_distances(const uint8_t* set, int64_t h, int64_t w, Int none, Int* g) {
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const int64_t p = y * w + x;
            g[p] = set[p] ? 0 : y == 0 ? none : std::min<Int>(none, g[p - w] + 1);
        }
    for (int64_t y = h - 2; y >= 0; --y)
        for (int64_t x = 0; x < w; ++x) {
            const int64_t p = y * w + x;
            g[p] = std::min<Int>(g[p], g[p + w] + 1);
        }
}

// The lower envelope of the parabolas (x - i)² + g(i)² of a row: `at` are those that are lowest somewhere, each from
// `from` on. Squares are added as 64
// bits: that of `none` and that of a side are together more than an int32 holds.
template <class Int>
class Envelope {
 public:
    explicit Envelope(Int* room, int64_t w) : at_(room), from_(room + w) {}

    void squares(const Int* g, int64_t w, Int* result) {
        const auto square = [g](int64_t i) { return int64_t(g[i]) * g[i]; };
        const auto value = [&](int64_t x, int64_t i) { return (x - i) * (x - i) + square(i); };
        int64_t last = 0;
        at_[0] = from_[0] = 0;
        for (int64_t u = 1; u < w; ++u) {
            while (last >= 0 && value(from_[last], at_[last]) > value(from_[last], u)) --last;
            if (last < 0) {
                last = 0;
                at_[0] = Int(u);
                continue;
            }
            const int64_t i = at_[last];
            const int64_t begins = 1 + (u * u - i * i + square(u) - square(i)) / (2 * (u - i));
            if (begins >= w) continue;
            ++last;
            at_[last] = Int(u);
            from_[last] = Int(begins);
        }
        for (int64_t x = w - 1; x >= 0; --x) {
            result[x] = Int(value(x, at_[last]));
            if (x == from_[last]) --last;
        }
    }

 private:
    Int *at_, *from_;
};

template <class Int>
void squared_distances(const uint8_t* set, int64_t h, int64_t w, Int* squares, Int* columns) {
    column_distances(set, h, w, Int(h + w), columns);
    Envelope<Int> envelope(columns + h * w, w);
    for (int64_t y = 0; y < h; ++y) envelope.squares(columns + y * w, w, squares + y * w);
}
template void squared_distances(const uint8_t*, int64_t, int64_t, int32_t*, int32_t*);
template void squared_distances(const uint8_t*, int64_t, int64_t, int64_t*, int64_t*);

std::vector<int64_t> squared_distances(const std::vector<uint8_t>& set, int64_t h, int64_t w) {
    if (std::all_of(set.begin(), set.end(), [](uint8_t v) { return v == 0; }))
        return std::vector<int64_t>(size_t(h * w), -1);
    std::vector<int64_t> squares(size_t(h * w)), columns(size_t(distance_buffer(h, w)));
    squared_distances(set.data(), h, w, squares.data(), columns.data());
    return squares;
}

}  // namespace atrous
