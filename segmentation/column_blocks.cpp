#include "segmentation/column_blocks.h"

#include <algorithm>

#include "data/row_writer.h"
#include "segmentation/image_view.h"

namespace atrous {

namespace {

struct WindowSize {
    int64_t height, width;  // of what is kept of a window
    int64_t seen;           // rows that the net sees of it
};

WindowSize window_of(const ImageView& view) {
    if (!view.exact) return {view.grid.window_height, view.grid.window_width, view.grid.window_height};
    const ExactGrid& exact = *view.exact;
    return {exact.core_height, exact.core_width, exact.core_height + 2 * exact.halo};
}

// Logits, the image's rows under them (those of the row of windows before stay until the new ones are beside them), decoded
// rows and rows of tiles.
double bytes_a_column(const data::ImageRows& image, const ImageView& view, int64_t channels, int64_t result_bytes) {
    const WindowSize window = window_of(view);
    const auto of_view =
        double((window.height + 1) * channels * int64_t(sizeof(float)) + 2 * window.seen * image.pixel_bytes());
    return of_view * double(view.width()) / double(image.width()) +
           double(image.rows_at_once() * image.pixel_bytes() + data::tiff_tile * result_bytes);
}

}  // namespace

Columns with_neighbours(Columns columns, int64_t width) {
    const int64_t first = std::max<int64_t>(columns.first - 1, 0);
    return {first, std::min(columns.end() + 1, width) - first};
}

ColumnBlock whole_image(const data::ImageRows& image, const ImageView& view) {
    return {{0, image.width()}, {0, view.width()}};
}

std::vector<ColumnBlock> column_blocks(const data::ImageRows& image, const ImageView& view, int64_t channels,
                                       int64_t result_bytes, int64_t budget) {
    const int64_t width = image.width();
    if (!view.exact && view.grid.windows() == 1) return {whole_image(image, view)};
    const int64_t fit = int64_t(double(budget) / bytes_a_column(image, view, channels, result_bytes));
    const int64_t least = std::max(least_windows * window_of(view).width * width / view.width(), data::tiff_tile);
    const int64_t count =
        std::clamp<int64_t>(ceil_div(width, std::max<int64_t>(fit, 1)), 1, std::max(width / least, int64_t{1}));
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
