#include "segmentation/column_blocks.h"

#include <algorithm>

#include "data/row_writer.h"
#include "segmentation/image_view.h"

namespace atrous {

namespace {

constexpr int64_t rows_at_once = 16;  // that a RowResizer takes

struct WindowSize {
    int64_t height, width;  // of what is kept of a window
    int64_t seen;           // rows that the net sees of it
};

WindowSize window_of(const ImageView& view) {
    if (!view.exact) return {view.grid.window_height, view.grid.window_width, view.grid.window_height};
    const ExactGrid& exact = *view.exact;
    return {exact.core_height, exact.core_width, exact.core_height + 2 * exact.halo};
}

// Rows of the image that a RowResizer holds, at the width of the view: those that an output row is the sum of, and as many that
// come at once; twice, while they move.
double rows_of_resizer(const data::ImageRows& image, const ImageView& view) {
    if (image.height() == view.height()) return 0;
    const double support = std::max(1.0, double(image.height()) / double(view.height()));
    return 2 * (2 * support + 1 + double(rows_at_once));
}

// Logits; the image's rows under them, which are there three times while those that stay of the row of windows before and new
// ones are joined; decoded rows, and those that are resized; and `beside`.
double bytes_a_column(const data::ImageRows& image, const ImageView& view, int64_t channels, int64_t beside) {
    const WindowSize window = window_of(view);
    const auto pixel = double(image.pixel_bytes());
    const double of_view = double((window.height + 1) * channels * int64_t(sizeof(float))) +
                           (3 * double(window.seen) + rows_of_resizer(image, view)) * pixel;
    const int64_t decoded = image.rows_at_once() + (image.width() == view.width() ? 0 : 2 * rows_at_once);
    return of_view * double(view.width()) / double(image.width()) + double(decoded) * pixel + double(beside);
}

}  // namespace

Columns with_neighbours(Columns columns, int64_t width) {
    const int64_t first = std::max<int64_t>(columns.first - 1, 0);
    return {first, std::min(columns.end() + 1, width) - first};
}

std::vector<ColumnBlock> column_blocks(const data::ImageRows& image, const ImageView& view, int64_t channels,
                                       int64_t beside, int64_t budget) {
    const int64_t width = image.width();
    if (!view.exact && view.grid.windows() == 1) return {{{0, width}, {0, view.width()}}};
    const double a_column = bytes_a_column(image, view, channels, beside);
    const int64_t window = window_of(view).width * width / view.width();
    const auto columns_of = [&](int64_t bytes) { return int64_t(double(bytes) / a_column); };
    const int64_t most = columns_of(times_at_most * budget), little = columns_of(budget);
    const int64_t fit = image.decodes_columns() ? std::max(little, std::min(most, enough_windows * window)) : most;
    const int64_t least = std::max(least_windows * window, data::tiff_tile);
    // No block but the last is wider, which may be by half a tile, unless `least` makes them so.
    const int64_t whole_tiles = std::max(fit / data::tiff_tile, int64_t{1}) * data::tiff_tile;
    const int64_t blocks_at_least = width <= fit ? 1 : ceil_div(width, whole_tiles);
    const int64_t count = std::min(blocks_at_least, std::max(width / least, int64_t{1}));
    const auto border = [&](int64_t i) {  // at least a tile from the one before
        if (i == count) return width;
        return (i * width / count + data::tiff_tile / 2) / data::tiff_tile * data::tiff_tile;
    };
    std::vector<ColumnBlock> blocks;
    for (int64_t i = 0; i < count; ++i) {
        const Columns own{border(i), border(i + 1) - border(i)};
        const int64_t first = own.first * view.width() / width;
        blocks.push_back({own, {first, own.end() * view.width() / width - first}});
    }
    return blocks;
}

}  // namespace atrous
