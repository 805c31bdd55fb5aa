// At which scale and in how many windows a net sees an image, given what its training saw.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.h"
#include "data/image_rows.h"
#include "engine/nn/receptive_field.h"
#include "segmentation/column_blocks.h"
#include "segmentation/load_net.h"
#include "segmentation/windows.h"

namespace atrous {

struct WindowOptions {
    std::string windows = "auto";
    double overlap = 0.25;
    int64_t rows_in_memory = atrous::rows_in_memory;  // of a block of columns, in bytes; no setting
};
void describe(Settings& settings, WindowOptions& options);

// An image is resized to height x width before the net sees it. Without an exact grid it sees it window by window as the
// grid says; one window is as the images of the training, which become the size of the card as its `resize` says,
// whatever their own is.
struct ImageView {
    WindowGrid grid;
    ImageSize padded;  // to which a single window is padded on all sides; none: it is not
    std::string note;  // for people: windows, or a scale far from the training's; empty where there is nothing to say
    std::optional<ExactGrid> exact = {};

    int64_t height() const { return grid.height; }
    int64_t width() const { return grid.width; }
};

// auto: windows for images more than twice as high or wide as the largest that the net was trained with. These are seen
// at the scale of that largest one, through windows of the size of the card. Of a net that was trained on crops of images
// as they are: windows for images larger than the size of the card, whose scale stays as it is. on and exact: windows for
// all images. UsageError where windows are asked for and the checkpoint does not know the sizes of its training's images.
// `halo`: of all nets that are averaged; none: of the card's.
ImageView view_of(const ModelCard& card, const WindowOptions& options, int64_t height, int64_t width,
                  const std::optional<Halo>& halo = {});

// Throws UsageError for nets whose layers vary with the size of the image, and names the first.
Halo exact_halo_of(const ModelCard& card, const std::optional<Halo>& halo);
// The middles that are kept have at least the size of the card, and at least that of what lies around them. DataError for
// a size that the whole net would not pad to the same multiple as windows: its maps would lie elsewhere on the image.
ExactGrid exact_grid_of(const ModelCard& card, const Halo& halo, int64_t height, int64_t width);

// Calls `take` for the rows of the image's logits at the size of the view, those columns of them, from the top:
// segmentation/windows.h. Whatever the columns, a pixel has the same logits, to the bit. Memory: a row of the windows over
// them. NumericError for NaN or Inf. `path` is for messages. Of a block that is not the whole image, `image` is opened again,
// and so is one of which rows were given already.
void logits_by_windows(LoadedNet& net, data::ImageRows& image, const ImageView& view, Columns columns,
                       const std::string& path, const TakeRows& take);

// What takes the logits of a block. `after_windows` and `seen` may be empty.
struct TakesOfBlock {
    // Rows [first, first + count) at the image's own size: [count][block.own.count][channels], without the row before them.
    TakeRows own;
    std::function<void()> after_windows = {};  // after each row of windows
    // A row at the size of the view: [block.view.count][channels].
    std::function<void(int64_t y, const float* row)> seen = {};
};

// The same for a block, and for the logits at the image's own size (segmentation/logit_rows.h), whose rows follow as soon as
// they are complete.
void logits_at_own_size(LoadedNet& net, data::ImageRows& image, const ImageView& view, const ColumnBlock& block,
                        const std::string& path, const TakesOfBlock& takes);

}  // namespace atrous
