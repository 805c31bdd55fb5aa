// Logits of an image larger than those a net was trained on: the net sees it window by window. Blended windows overlap,
// with weights that fall towards a window's edges. Exact windows give what the net would give for the whole image: of each
// the middle is kept, and around it the net sees all that the middle depends on.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/columns.h"

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
// Takes rows [first, first + count) of the logits of the columns that were asked for: [count][columns.count][channels]. Where
// first > 0, the row before them lies in front of `rows`.
using TakeRows = std::function<void(int64_t first, int64_t count, const float* rows)>;

// Calls `logits` for each window, row by row, and `take` for all rows of the image from the top. Memory: one row of
// windows.
void blend_windows(const WindowGrid& grid, int64_t channels, const WindowLogits& logits, const TakeRows& take);
// The same, to the bit, of some columns: of the windows those that hold some of them. Where there are several windows.
void blend_windows(const WindowGrid& grid, Columns columns, int64_t channels, const WindowLogits& logits,
                   const TakeRows& take);
// The columns of the image that those windows see.
Columns seen_columns(const WindowGrid& grid, Columns columns);

// Where exact windows lie. What the net sees of each begins at a multiple of `align`, and ends at one too.
struct ExactGrid {
    int64_t height = 0, width = 0;            // of the image
    int64_t seen_height = 0, seen_width = 0;  // of the whole that the net would see: padded to a multiple of `align`
    int64_t core_height = 0, core_width = 0;  // what is kept of a window, multiples of `align`; less at the borders
    int64_t halo = 0;                         // around it, a multiple of `align`
    int64_t align = 1;

    int64_t windows() const { return rows() * columns(); }
    int64_t rows() const { return (height + core_height - 1) / core_height; }
    int64_t columns() const { return (width + core_width - 1) / core_width; }
};
int64_t round_up(int64_t size, int64_t multiple);
// `reach`: how far a pixel of the logits depends on the image, to any side.
ExactGrid exact_grid(int64_t height, int64_t width, int64_t core_height, int64_t core_width, int64_t reach,
                     int64_t align);

struct Rectangle {
    int64_t top = 0, left = 0, height = 0, width = 0;
};
// The logits of a rectangle of the padded image: [height][width][channels], valid until the next call.
using RectangleLogits = std::function<const float*(const Rectangle&)>;

// As blend_windows.
void join_windows(const ExactGrid& grid, int64_t channels, const RectangleLogits& logits, const TakeRows& take);
void join_windows(const ExactGrid& grid, Columns columns, int64_t channels, const RectangleLogits& logits,
                  const TakeRows& take);
Columns seen_columns(const ExactGrid& grid, Columns columns);

}  // namespace atrous
