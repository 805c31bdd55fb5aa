#include "segmentation/windows.h"

#include <algorithm>
#include <cmath>

namespace atrous {

namespace {

// At most `window - shared` apart, evenly.
std::vector<int64_t> starts_of(int64_t size, int64_t window, double overlap) {
    const int64_t shared = int64_t(std::ceil(overlap * double(window)));
    const int64_t step = std::max<int64_t>(window - shared, 1), last = size - window;
    const int64_t steps = (last + step - 1) / step;
    std::vector<int64_t> starts{0};
    for (int64_t i = 1; i <= steps; ++i) starts.push_back(i * last / steps);
    return starts;
}

// For each pixel of a side, what the weights of the windows over it add up to.
std::vector<float> sums_of(const std::vector<float>& weights, const std::vector<int64_t>& starts, int64_t size) {
    std::vector<float> sums(size_t(size), 0.f);
    for (const int64_t start : starts)
        for (size_t i = 0; i < weights.size(); ++i) sums[size_t(start) + i] += weights[i];
    return sums;
}

}  // namespace

WindowGrid window_grid(int64_t height, int64_t width, int64_t window_height, int64_t window_width, double overlap) {
    WindowGrid grid{height, width, std::min(height, window_height), std::min(width, window_width), {}, {}};
    grid.tops = starts_of(height, grid.window_height, overlap);
    grid.lefts = starts_of(width, grid.window_width, overlap);
    return grid;
}

std::vector<float> window_weights(int64_t window, const std::vector<int64_t>& starts) {
    int64_t shared = 0;
    for (size_t i = 1; i < starts.size(); ++i) shared = std::max(shared, window - (starts[i] - starts[i - 1]));
    std::vector<float> weights;
    for (int64_t i = 0; i < window; ++i)
        weights.push_back(float(std::min({i + 1, window - i, shared + 1})) / float(shared + 1));
    return weights;
}

static bool holds_some(const WindowGrid& grid, int64_t left, Columns columns) {
    return left < columns.end() && left + grid.window_width > columns.first;
}

Columns seen_columns(const WindowGrid& grid, Columns columns) {
    Columns seen;
    for (const int64_t left : grid.lefts) {
        if (!holds_some(grid, left, columns)) continue;
        if (seen.count == 0) seen.first = left;
        seen.count = left + grid.window_width - seen.first;
    }
    return seen;
}

void blend_windows(const WindowGrid& grid, int64_t channels, const WindowLogits& logits, const TakeRows& take) {
    if (grid.windows() == 1) return take(0, grid.height, logits(0, 0));
    blend_windows(grid, {0, grid.width}, channels, logits, take);
}

void blend_windows(const WindowGrid& grid, Columns columns, int64_t channels, const WindowLogits& logits,
                   const TakeRows& take) {
    const std::vector<float> down = window_weights(grid.window_height, grid.tops);
    const std::vector<float> across = window_weights(grid.window_width, grid.lefts);
    const std::vector<float> sums_down = sums_of(down, grid.tops, grid.height);
    const std::vector<float> sums_across = sums_of(across, grid.lefts, grid.width);
    const int64_t row = columns.count * channels, window_row = grid.window_width * channels;
    std::vector<float> band(size_t((1 + grid.window_height) * row), 0.f);  // behind the row above the current windows
    for (size_t r = 0; r < grid.tops.size(); ++r) {
        const int64_t top = grid.tops[r];
        std::vector<float> share(size_t(grid.window_height));
        for (size_t y = 0; y < share.size(); ++y) share[y] = down[y] / sums_down[size_t(top) + y];
        for (const int64_t left : grid.lefts) {
            if (!holds_some(grid, left, columns)) continue;
            const float* window = logits(top, left);
            const int64_t begin = std::max<int64_t>(columns.first - left, 0);
            const int64_t end = std::min(columns.end() - left, grid.window_width);
            for (int64_t y = 0; y < grid.window_height; ++y)
                for (int64_t x = begin; x < end; ++x) {
                    const float weight = share[size_t(y)] * across[size_t(x)] / sums_across[size_t(left + x)];
                    const float* from = window + y * window_row + x * channels;
                    float* to = band.data() + (1 + y) * row + (left + x - columns.first) * channels;
                    for (int64_t ch = 0; ch < channels; ++ch) to[ch] += weight * from[ch];
                }
        }
        const int64_t done = (r + 1 == grid.tops.size() ? grid.height : grid.tops[r + 1]) - top;
        take(top, done, band.data() + row);
        std::copy(band.begin() + done * row, band.end(), band.begin());
        std::fill(band.end() - done * row, band.end(), 0.f);
    }
}

int64_t round_up(int64_t size, int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

ExactGrid exact_grid(int64_t height, int64_t width, int64_t core_height, int64_t core_width, int64_t reach,
                     int64_t align) {
    const int64_t h = round_up(height, align), w = round_up(width, align);
    return {height,
            width,
            h,
            w,
            std::min(round_up(core_height, align), h),
            std::min(round_up(core_width, align), w),
            round_up(reach, align),
            align};
}

// What the net sees for the rows or columns [core, core + size) of `all`.
static std::pair<int64_t, int64_t> seen(int64_t core, int64_t size, int64_t halo, int64_t all) {
    return {std::max<int64_t>(core - halo, 0), std::min(core + size + halo, all)};
}

// The first column of the first window that keeps some of the columns.
static int64_t first_core(const ExactGrid& grid, Columns columns) {
    return columns.first / grid.core_width * grid.core_width;
}

Columns seen_columns(const ExactGrid& grid, Columns columns) {
    const int64_t last = (columns.end() - 1) / grid.core_width * grid.core_width;
    const int64_t begin = seen(first_core(grid, columns), grid.core_width, grid.halo, grid.seen_width).first;
    const int64_t end = seen(last, grid.core_width, grid.halo, grid.seen_width).second;
    return {begin, std::min(end, grid.width) - begin};
}

void join_windows(const ExactGrid& grid, int64_t channels, const RectangleLogits& logits, const TakeRows& take) {
    join_windows(grid, {0, grid.width}, channels, logits, take);
}

void join_windows(const ExactGrid& grid, Columns columns, int64_t channels, const RectangleLogits& logits,
                  const TakeRows& take) {
    const int64_t row = columns.count * channels;
    std::vector<float> band(size_t((1 + grid.core_height) * row), 0.f);  // behind the row above the current windows
    for (int64_t top = 0; top < grid.height; top += grid.core_height) {
        const auto [y0, y1] = seen(top, grid.core_height, grid.halo, grid.seen_height);
        const int64_t kept = std::min(grid.core_height, grid.height - top);
        for (int64_t left = first_core(grid, columns); left < columns.end(); left += grid.core_width) {
            const auto [x0, x1] = seen(left, grid.core_width, grid.halo, grid.seen_width);
            const float* window = logits({y0, x0, y1 - y0, x1 - x0});
            const int64_t begin = std::max(left, columns.first);
            const int64_t count = (std::min(left + grid.core_width, columns.end()) - begin) * channels;
            for (int64_t y = 0; y < kept; ++y)
                std::copy_n(window + ((top - y0 + y) * (x1 - x0) + begin - x0) * channels, count,
                            band.data() + (1 + y) * row + (begin - columns.first) * channels);
        }
        take(top, kept, band.data() + row);
        std::copy_n(band.begin() + kept * row, row, band.begin());
    }
}

}  // namespace atrous
