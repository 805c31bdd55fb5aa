// Logits of an image larger than those a net was trained on: the net sees it window by window, and where windows overlap
// their logits are blended, with weights that fall towards a window's edges.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace atrous {

// Where the windows of an image lie. All are of one size; each row of windows has the same columns.
struct WindowGrid {
    int64_t height = 0, width = 0;                // of the image
    int64_t window_height = 0, window_width = 0;  // at most the image's
    std::vector<int64_t> tops, lefts;             // ascending; the first is 0, the last window ends at the border

    int64_t windows() const { return int64_t(tops.size() * lefts.size()); }
};

// As few windows as lie `overlap` (0 to 0.9, of a window's side) or more over each other, at even distances.
WindowGrid window_grid(int64_t height, int64_t width, int64_t window_height, int64_t window_width, double overlap);

// Returns the weight of each pixel along one side of a window, before neighbours are made to add up to 1: rising from the
// edges to 1 over the pixels that the windows share.
std::vector<float> window_weights(int64_t window, const std::vector<int64_t>& starts);

// [window_height][window_width][channels], valid until the next call.
using WindowLogits = std::function<const float*(int64_t top, int64_t left)>;
// Takes rows [first, first + count) of the blended logits: [count][width][channels]. Where first > 0, the row before them
// lies in front of `rows`.
using TakeRows = std::function<void(int64_t first, int64_t count, const float* rows)>;

// Calls `logits` for each window, row by row, and `take` for all rows of the image from the top. Memory: one row of
// windows.
void blend_windows(const WindowGrid& grid, int64_t channels, const WindowLogits& logits, const TakeRows& take);

}  // namespace atrous
