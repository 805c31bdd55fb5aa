#include "kernels/distance_transform.h"

#include <algorithm>

namespace atrous {

// Distances within columns. A column without a pixel has `none`, which is beyond any distance in the image.
static void column_distances(const uint8_t* set, int64_t h, int64_t w, int64_t none, int64_t* g) {
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const int64_t p = y * w + x;
            g[p] = set[p] ? 0 : y == 0 ? none : std::min(none, g[p - w] + 1);
        }
    for (int64_t y = h - 2; y >= 0; --y)
        for (int64_t x = 0; x < w; ++x) {
            const int64_t p = y * w + x;
            g[p] = std::min(g[p], g[p + w] + 1);
        }
}

// The lower envelope of the parabolas (x - i)² + g(i)² of a row: `at` are those that are lowest somewhere, each from
// `from` on.
class Envelope {
 public:
    explicit Envelope(int64_t* room, int64_t w) : at_(room), from_(room + w) {}

    void squares(const int64_t* g, int64_t w, int64_t* result) {
        const auto value = [g](int64_t x, int64_t i) { return (x - i) * (x - i) + g[i] * g[i]; };
        int64_t last = 0;
        at_[0] = from_[0] = 0;
        for (int64_t u = 1; u < w; ++u) {
            while (last >= 0 && value(from_[last], at_[last]) > value(from_[last], u)) --last;
            if (last < 0) {
                last = 0;
                at_[0] = u;
                continue;
            }
            const int64_t i = at_[last];
            const int64_t begins = 1 + (u * u - i * i + g[u] * g[u] - g[i] * g[i]) / (2 * (u - i));
            if (begins >= w) continue;
            ++last;
            at_[last] = u;
            from_[last] = begins;
        }
        for (int64_t x = w - 1; x >= 0; --x) {
            result[x] = value(x, at_[last]);
            if (x == from_[last]) --last;
        }
    }

 private:
    int64_t *at_, *from_;
};

void squared_distances(const uint8_t* set, int64_t h, int64_t w, int64_t* squares, int64_t* columns) {
    column_distances(set, h, w, h + w, columns);
    Envelope envelope(columns + h * w, w);
    for (int64_t y = 0; y < h; ++y) envelope.squares(columns + y * w, w, squares + y * w);
}

std::vector<int64_t> squared_distances(const std::vector<uint8_t>& set, int64_t h, int64_t w) {
    if (std::all_of(set.begin(), set.end(), [](uint8_t v) { return v == 0; }))
        return std::vector<int64_t>(size_t(h * w), -1);
    std::vector<int64_t> squares(size_t(h * w)), columns(size_t(distance_buffer(h, w)));
    squared_distances(set.data(), h, w, squares.data(), columns.data());
    return squares;
}

}  // namespace atrous
