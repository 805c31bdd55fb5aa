#include "segmentation/image_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/prepare.h"
#include "engine/train/evaluate.h"
#include "segmentation/postprocess.h"

namespace atrous {

void describe(Settings& s, WindowOptions& o) {
    s.bind("windows", o.windows,
           "images through overlapping windows of the training's size, at the training's scale: on, off, or auto, for "
           "images more than twice as large as the training's")
        .one_of({"auto", "on", "off"});
    s.bind("overlap", o.overlap, "share of a window's side that neighbouring windows have in common").min(0).max(0.9);
}

namespace {

constexpr double far = 2;  // a size so many times the training's is another scale

int64_t scaled(int64_t side, int64_t to, int64_t from) {
    if (from <= 0) return to;  // not known
    return std::max<int64_t>(1, int64_t(std::llround(double(side) * double(to) / double(from))));
}

// The size of an image at the scale of the training's largest one.
ImageSize at_scale_of_training(const ModelCard& card, ImageSize image) {
    const ImageSize net(card.height, card.width), largest(card.sources.max_height, card.sources.max_width);
    if (card.resize == data::ResizeMode::letterbox && card.sources.known()) {
        const double scale = data::letterbox_scale(largest, net);
        const auto times = [scale](int64_t side) {
            return std::max<int64_t>(1, int64_t(std::llround(double(side) * scale)));
        };
        return {times(image.height), times(image.width)};
    }
    return {scaled(image.height, net.height, largest.height), scaled(image.width, net.width, largest.width)};
}

std::string text_of(const WindowGrid& grid) {
    return fmt::format("{} windows of {}x{}", grid.windows(), grid.window_width, grid.window_height);
}

// Of a net whose training took crops of images as they are.
ImageView view_as_it_is(const ModelCard& card, const WindowOptions& options, int64_t height, int64_t width) {
    if (options.windows == "off") return {window_grid(height, width, height, width, 0), {}, ""};
    const WindowGrid grid = window_grid(height, width, card.height, card.width, options.overlap);
    return {grid, {}, grid.windows() > 1 ? text_of(grid) : ""};
}

// Of an image that is stretched: in what proportions none of the training's can have been.
std::string note_on_proportions(const SourceSizes& trained, int64_t height, int64_t width) {
    const double aspect = double(width) / double(height),
                 widest = double(trained.max_width) / double(trained.min_height),
                 narrowest = double(trained.min_width) / double(trained.max_height);
    const double more = std::max(aspect / widest, narrowest / aspect);
    if (more <= far) return "";
    return fmt::format("stretched: {:.1f} times as {} for its {} as any of the training's", more,
                       aspect > widest ? "wide" : "high", aspect > widest ? "height" : "width");
}

// Of an image that is resized to the size of the card.
std::string note_on_scale(const ModelCard& card, int64_t height, int64_t width, bool windows_fit) {
    const SourceSizes& trained = card.sources;
    const double more =
        std::max(double(height) / double(trained.max_height), double(width) / double(trained.max_width));
    if (more > far)
        return fmt::format("shrunk {:.1f} times as much as the training's largest images; {}", more,
                           windows_fit ? "`windows` on keeps their scale" : "at their scale it would be too large");
    const double less =
        std::max(double(height) / double(trained.min_height), double(width) / double(trained.min_width));
    if (less * far < 1) return fmt::format("enlarged {:.1f} times as much as the training's smallest images", 1 / less);
    return card.resize == data::ResizeMode::stretch ? note_on_proportions(trained, height, width) : "";
}

}  // namespace

ImageView view_of(const ModelCard& card, const WindowOptions& options, int64_t height, int64_t width) {
    if (card.resize == data::ResizeMode::none) return view_as_it_is(card, options, height, width);
    const SourceSizes& trained = card.sources;
    if (options.windows == "on" && !trained.known())
        throw UsageError(
            "`windows` on: the checkpoint is of a version that did not record the sizes of its training's images, so "
            "their scale is unknown; leave it out");
    const bool large = trained.known() && (double(height) > far * double(trained.max_height) ||
                                           double(width) > far * double(trained.max_width));
    const auto [h, w] = at_scale_of_training(card, {height, width});
    const bool fits = h <= data::max_pixels / w;
    if (options.windows == "on" && !fits)
        throw DataError(
            fmt::format("at the scale of the training the image would have {}x{} pixels; `windows` off takes it "
                        "as a whole",
                        w, h));
    if (options.windows == "on" || (options.windows == "auto" && large && fits)) {
        const WindowGrid grid = window_grid(h, w, card.height, card.width, options.overlap);
        return {grid, {}, text_of(grid)};
    }
    std::string note = trained.known() ? note_on_scale(card, height, width, fits) : "";
    const auto [size, padded] = data::fit(card.resize, {height, width}, {card.height, card.width});
    return {window_grid(size.height, size.width, size.height, size.width, 0), padded, std::move(note)};
}

void logits_by_windows(LoadedNet& loaded, const data::Image& image, const ImageView& view, const std::string& path,
                       const TakeRows& take) {
    const ModelCard& card = loaded.card;
    const WindowGrid& grid = view.grid;
    const auto options = loader_options(card, 1, 0, loaded.net->input_multiple());
    const data::Image whole =
        data::resize_bilinear(data::as_net_takes_it(image, int(card.net.in_channels), card.normalization.range, path),
                              grid.height, grid.width);
    HostBatch batch;
    std::vector<float> logits;
    const auto of_window = [&](int64_t top, int64_t left) {
        data::Example seen{data::crop(whole, top, left, grid.window_height, grid.window_width),
                           {},
                           grid.window_height,
                           grid.window_width};
        data::pad_around(seen, view.padded, options.normalization);
        data::collate({seen}, options, batch);
        const DeviceBatch given = upload(batch, loaded.net->materialized().device, loaded.compute);
        const int64_t above = (seen.image.h - grid.window_height) / 2, before = (seen.image.w - grid.window_width) / 2;
        logits = host_logits(loaded.net->forward(given.images), grid.window_height, grid.window_width, above, before);
        if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }))
            throw NumericError("the net gave NaN or Inf");
        return logits.data();
    };
    blend_windows(grid, card.net.out_channels, of_window, take);
}

}  // namespace atrous
