#include "segmentation/windows.h"

#include <gtest/gtest.h>

#include <numeric>

namespace atrous::test {

// Every pixel lies in a window, the first and last touch the borders, neighbours share at least what was asked for.
TEST(Windows, TheGridCoversTheImage) {
    for (const int64_t size : {1, 7, 48, 49, 60, 96, 97, 480, 1000})
        for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
            const WindowGrid grid = window_grid(size, 31, 48, 48, overlap);
            const int64_t window = std::min<int64_t>(size, 48);
            EXPECT_EQ(grid.window_height, window);
            EXPECT_EQ(grid.tops.front(), 0);
            EXPECT_EQ(grid.tops.back() + window, size);
            for (size_t i = 1; i < grid.tops.size(); ++i)
                EXPECT_GE(window - (grid.tops[i] - grid.tops[i - 1]), int64_t(overlap * double(window)))
                    << size << " " << overlap;
            EXPECT_EQ(grid.lefts, std::vector<int64_t>{0});
        }
}

TEST(Windows, AnImageOfAWindowsSizeIsOneWindow) {
    const WindowGrid grid = window_grid(48, 64, 48, 64, 0.5);
    EXPECT_EQ(grid.windows(), 1);
}

// Windows of a function of the place alone agree where they overlap, so that blending changes nothing: a wrong row, column
// or weight does. 2^-20: three float roundings of values below 8.
TEST(Windows, BlendingWindowsThatAgreeGivesTheImageBack) {
    constexpr int64_t channels = 2;
    const WindowGrid grid = window_grid(101, 77, 32, 20, 0.3);
    ASSERT_GT(grid.windows(), 12);
    const auto value = [](int64_t y, int64_t x, int64_t ch) { return float((y * 3 + x * 5 + ch) % 8); };
    std::vector<float> window;
    std::vector<int64_t> rows_seen;
    blend_windows(
        grid, channels,
        [&](int64_t top, int64_t left) {
            window.clear();
            for (int64_t y = 0; y < grid.window_height; ++y)
                for (int64_t x = 0; x < grid.window_width; ++x)
                    for (int64_t ch = 0; ch < channels; ++ch) window.push_back(value(top + y, left + x, ch));
            return window.data();
        },
        [&](int64_t first, int64_t count, const float* rows) {
            for (int64_t y = first; y < first + count; ++y) {
                rows_seen.push_back(y);
                for (int64_t x = 0; x < grid.width; ++x)
                    for (int64_t ch = 0; ch < channels; ++ch)
                        ASSERT_NEAR(*rows++, value(y, x, ch), 1e-6 * 8) << "row " << y << ", column " << x;
            }
        });
    std::vector<int64_t> all(101);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(rows_seen, all);
}

// A window's edge counts less than the middle of its neighbour.
TEST(Windows, WeightsRiseFromTheEdges) {
    const std::vector<float> weights = window_weights(8, {0, 4, 8});
    EXPECT_EQ(weights, (std::vector<float>{.2f, .4f, .6f, .8f, .8f, .6f, .4f, .2f}));
    EXPECT_EQ(window_weights(3, {0}), (std::vector<float>{1, 1, 1}));
}

}  // namespace atrous::test
