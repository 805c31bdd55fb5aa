#include "segmentation/windowed_net.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/ops/elementwise.h"
#include "engine/ops/window.h"
#include "engine/train/evaluate.h"
#include "segmentation/postprocess.h"

namespace atrous {

WindowedNet::WindowedNet(SegmentationNet& net, int64_t window_height, int64_t window_width, double overlap)
    : net_(net), window_height_(window_height), window_width_(window_width), overlap_(overlap) {
    materialize(net.materialized());  // no parameters: where the net is
    set_training(false);
}

WindowedNet::WindowedNet(SegmentationNet& net, ExactGridOf exact) : net_(net), exact_(std::move(exact)) {
    materialize(net.materialized());
    set_training(false);
}

NetOutputs WindowedNet::compute(const Tensor& x, bool) {
    require(x.dim(0) == 1, "a net by windows: one image at a time");
    const int64_t h = x.dim(1), w = x.dim(2), channels = out_channels();
    const EvaluationMode mode(net_);
    std::vector<float> logits, whole(size_t(h * w * channels));
    const auto of_rectangle = [&](const Rectangle& r) {
        const Tensor seen = window(x, {r.top, r.left, r.height, r.width});
        logits = host_logits(net_.forward(seen), r.height, r.width);
        return logits.data();
    };
    const auto take = [&](int64_t first, int64_t count, const float* rows) {
        std::copy_n(rows, count * w * channels, whole.begin() + first * w * channels);
    };
    if (exact_) {
        join_windows(exact_(h, w), channels, of_rectangle, take);
    } else {
        const WindowGrid grid = window_grid(h, w, window_height_, window_width_, overlap_);
        if (grid.windows() == 1) return {net_.forward(x), {}};
        const auto of_window = [&](int64_t top, int64_t left) {
            return of_rectangle({top, left, grid.window_height, grid.window_width});
        };
        blend_windows(grid, channels, of_window, take);
    }
    Tensor out = Tensor::empty({1, h, w, channels}, DType::f32, x.device());
    out.copy_from_host(whole.data(), out.bytes());
    return {cast(out, x.dtype()), {}};
}

static int64_t pixels_of(ImageSize size) { return size.height * size.width; }

// The size of the image with the most windows, of several the one with the most pixels.
static ImageSize most_windows(const ModelCard& card, const WindowOptions& options, const data::DatasetReport& set) {
    const bool exact = options.windows == "exact";  // these take long to count
    ImageSize most;
    std::pair<int64_t, int64_t> best{0, 0};
    for (const ImageSize size : set.sizes) {
        const int64_t windows = exact ? 1 : view_of(card, options, size.height, size.width).grid.windows();
        const std::pair now{windows, pixels_of(size)};
        if (now > best) best = now, most = size;
    }
    return most;
}

static std::string note_of(const ImageView& largest, const ImageView& smallest) {
    std::string note = largest.note.empty() ? "" : "the largest image: " + largest.note;
    if (!smallest.note.empty() && smallest.note != largest.note && smallest.grid.windows() == 1 && !smallest.exact)
        note += (note.empty() ? "" : "; ") + ("the smallest: " + smallest.note);
    return note;
}

ScoringView scoring_view(LoadedNet& loaded, const WindowOptions& options, const data::DatasetReport& set,
                         int64_t batch_size, int workers) {
    const ModelCard& card = loaded.card;
    const ImageSize most = most_windows(card, options, set);
    const ImageSize least = *std::min_element(set.sizes.begin(), set.sizes.end(),
                                              [](ImageSize a, ImageSize b) { return pixels_of(a) < pixels_of(b); });
    const ImageView largest = view_of(card, options, most.height, most.width, loaded.halo);
    ScoringView view{loaded.net.get(), loader_options(card, batch_size, workers, loaded.net->input_multiple()),
                     note_of(largest, view_of(card, options, least.height, least.width, loaded.halo))};
    if (view.loader.fit && !set.one_size()) view.loader.batch_size = 1;  // a batch pads its images to one size
    const bool exact = options.windows == "exact";
    if (options.windows != "on" && !exact && largest.grid.windows() == 1) return view;
    if (exact)
        view.windowed = std::make_unique<WindowedNet>(
            *loaded.net, [card, halo = exact_halo_of(card, loaded.halo)](int64_t h, int64_t w) {
                return exact_grid_of(card, halo, h, w);
            });
    else
        view.windowed = std::make_unique<WindowedNet>(*loaded.net, card.height, card.width, options.overlap);
    view.net = view.windowed.get();
    view.loader.batch_size = view.loader.size_multiple = 1;
    WindowOptions of_size = options;
    if (exact) of_size.windows = "on";  // images of the same size, whatever the windows
    view.loader.fit = [card, of_size](ImageSize image) {
        const ImageView v = view_of(card, of_size, image.height, image.width);
        return data::Fitted{{v.height(), v.width()}, v.padded};
    };
    return view;
}

}  // namespace atrous
