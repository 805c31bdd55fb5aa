// In which blocks of columns a large image goes through a net: each from the top to the bottom, so that what is in memory
// depends neither on the image's height nor on its width.
#pragma once

#include <cstdint>
#include <vector>

#include "base/columns.h"
#include "data/image_rows.h"

namespace atrous {

struct ImageView;

struct ColumnBlock {
    Columns own;   // of the image itself; they begin at a multiple of data::tiff_tile
    Columns view;  // of the image at the size at which the net sees it
};

// What those rows of a block may take of memory, in bytes, whose number follows from windows, tiles and strips: no more than the
// program takes by itself, and yet thousands of columns under small windows. Beside them there are the windows that reach
// beyond the block, and the million values that go on to the results at a time (LogitRows::rows_at_once), whatever the block.
inline constexpr int64_t rows_in_memory = int64_t{16} << 20;
// Four times as much is taken
// - of images whose rows are decoded as a whole, for each block anew (ImageRows::decodes_columns),
// - of windows so large that fewer than `enough_windows` of them would lie side by side in a block, until these do: those
//   across the border of two blocks are computed for both, of each row about 1 / (1 - overlap).
// A block is no narrower than `least_windows` windows, whatever they take: below that the work doubles.
inline constexpr int64_t times_at_most = 4;
inline constexpr int64_t enough_windows = 8, least_windows = 2;

// Blocks of about one width, from the left, for logits of `channels`. `beside`: what else is held of a column, in bytes, such as
// tiles of results and rows of masks. An image that the net sees as a whole is one block.
std::vector<ColumnBlock> column_blocks(const data::ImageRows& image, const ImageView& view, int64_t channels,
                                       int64_t beside, int64_t budget = rows_in_memory);

// The columns and the one on each side of them, where there is one.
Columns with_neighbours(Columns columns, int64_t width);

}  // namespace atrous
