#include "segmentation/image_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/prepare.h"
#include "engine/nn/summary.h"
#include "engine/ops/window.h"
#include "engine/train/evaluate.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"

namespace atrous {

void describe(Settings& s, WindowOptions& o) {
    s.bind("windows", o.windows,
           "images through overlapping windows of the training's size, at the training's scale: on, off, auto, for "
           "images more than twice as large as the training's, or exact: as the whole image, of nets that allow it")
        .one_of({"auto", "on", "off", "exact"});
    s.bind("overlap", o.overlap, "share of a window's side that neighbouring windows have in common")
        .min(0)
        .max(0.9)
        .only_with("`windows` on or auto", [&o] { return o.windows == "on" || o.windows == "auto"; });
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
    return fmt::format("{} window{} of {}x{}", grid.windows(), grid.windows() == 1 ? "" : "s", grid.window_width,
                       grid.window_height);
}

}  // namespace

Halo exact_halo_of(const ModelCard& card, const std::optional<Halo>& halo) {
    Halo exact = halo ? *halo : halo_of(*make_net(card.net));
    if (!exact.varies_by.empty())
        throw UsageError(
            fmt::format("`windows` exact: the net's layer {} depends on the size of the whole image, so that no "
                        "windows give the same; `windows` on blends overlapping ones",
                        exact.varies_by));
    return exact;
}

// The net resizes maps of ceil(h / stride) pixels by h over that. In windows they lie at multiples of the stride.
static void refuse_other_maps(const Halo& halo, int64_t height, int64_t width) {
    const auto differs = [&](int64_t side) { return round_up(side, halo.multiple) != round_up(side, halo.stride); };
    if (differs(height) || differs(width))
        throw DataError(
            fmt::format("`windows` exact: the net sees {}x{} pixels, which are no multiples of its stride {}, so that "
                        "windows would not give what the whole image does; `windows` on blends overlapping ones",
                        width, height, halo.stride));
}

ExactGrid exact_grid_of(const ModelCard& card, const Halo& halo, int64_t height, int64_t width) {
    refuse_other_maps(halo, height, width);
    return exact_grid(height, width, std::max(card.height, 2 * halo.pixels), std::max(card.width, 2 * halo.pixels),
                      halo.pixels, halo.stride);
}

namespace {

ImageView exact_view(const ModelCard& card, const std::optional<Halo>& halo, int64_t h, int64_t w) {
    const ExactGrid windows = exact_grid_of(card, exact_halo_of(card, halo), h, w);
    return {window_grid(h, w, h, w, 0),
            {},
            fmt::format("{} exact window{} of {}x{} with {} around", windows.windows(),
                        windows.windows() == 1 ? "" : "s", windows.core_width, windows.core_height, windows.halo),
            windows};
}

// Of a net whose training took crops of images as they are.
ImageView view_as_it_is(const ModelCard& card, const WindowOptions& options, int64_t height, int64_t width,
                        const std::optional<Halo>& halo) {
    if (options.windows == "off") return {window_grid(height, width, height, width, 0), {}, ""};
    if (options.windows == "exact") return exact_view(card, halo, height, width);
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

ImageView view_of(const ModelCard& card, const WindowOptions& options, int64_t height, int64_t width,
                  const std::optional<Halo>& halo) {
    if (card.resize == data::ResizeMode::none) return view_as_it_is(card, options, height, width, halo);
    const SourceSizes& trained = card.sources;
    const bool exact = options.windows == "exact", always = options.windows == "on" || exact;
    if (always && !trained.known())
        throw UsageError(fmt::format(
            "`windows` {}: the checkpoint is of a version that did not record the sizes of its training's images, so "
            "their scale is unknown; leave it out",
            options.windows));
    const bool large = trained.known() && (double(height) > far * double(trained.max_height) ||
                                           double(width) > far * double(trained.max_width));
    const auto [h, w] = at_scale_of_training(card, {height, width});
    const int64_t most = std::max(data::max_pixels, height * width);  // enlarged to more than that, no image is seen
    const bool fits = h <= most / w;
    if (always && !fits)
        throw DataError(
            fmt::format("at the scale of the training the image would have {}x{} pixels; `windows` off takes it "
                        "as a whole",
                        w, h));
    if (exact) return exact_view(card, halo, h, w);
    if (options.windows == "on" || (options.windows == "auto" && large && fits)) {
        const WindowGrid grid = window_grid(h, w, card.height, card.width, options.overlap);
        return {grid, {}, text_of(grid)};
    }
    std::string note = trained.known() ? note_on_scale(card, height, width, fits) : "";
    const auto [size, padded] = data::fit(card.resize, {height, width}, {card.height, card.width});
    return {window_grid(size.height, size.width, size.height, size.width, 0), padded, std::move(note)};
}

namespace {

// Columns of the image as the net takes it, resized. Of its rows those of the current windows are in memory.
class ViewRows {
 public:
    ViewRows(data::ImageRows& image, const ModelCard& card, const ImageView& view, Columns columns,
             const std::string& path)
        : height_(view.height()),
          width_(view.width()),
          columns_(columns),
          again_(again(image, data::RowResizer::source_columns(image.width(), width_, columns))),
          resizer_(
              [&image = again_ ? *again_ : image, &card, path](int64_t count) {
                  return data::as_net_takes_it(image.next(count), int(card.net.in_channels), card.normalization.range,
                                               path);
              },
              image.height(), image.width(), height_, width_, columns) {}

    // A rectangle of it, within the columns; what lies beyond the image is left out. Those of later calls do not begin
    // further up.
    data::Image cut(const Rectangle& r) {
        const int64_t end = std::min(r.top + r.height, height_), kept = std::max<int64_t>(held_end() - r.top, 0);
        if (r.top > top_ || held_end() < end) {
            data::Image fresh = resizer_.next(end - std::max(held_end(), r.top));
            held_ = kept > 0 ? stacked(r.top - top_, kept, fresh) : std::move(fresh);
            top_ = r.top;
        }
        return data::crop(held_, r.top - top_, r.left - columns_.first, end - r.top,
                          std::min(r.width, width_ - r.left));
    }

 private:
    static std::unique_ptr<data::ImageRows> again(const data::ImageRows& image, Columns columns) {
        const bool usable = columns == Columns{0, image.width()} && image.left() == image.height();
        return usable ? nullptr : image.again(columns);
    }
    int64_t held_end() const { return top_ + held_.h; }
    // `kept` held rows from `first` on, and more.
    data::Image stacked(int64_t first, int64_t kept, const data::Image& more) const {
        return data::dispatch_pixels(held_, [&](auto zero) {
            auto all = data::make_image<decltype(zero)>(kept + more.h, held_.w, held_.c);
            data::copy_rows(held_, first, kept, all, 0);
            if (more.h > 0) data::copy_rows(more, 0, more.h, all, kept);
            return all;
        });
    }

    const int64_t height_, width_;
    const Columns columns_;
    // Where the image's own rows have more columns, or are given already.
    const std::unique_ptr<data::ImageRows> again_;
    data::RowResizer resizer_;
    data::Image held_;  // rows from top_ on
    int64_t top_ = 0;
};

}  // namespace

// One window sees all columns.
static Columns seen_columns(const ImageView& view, Columns columns) {
    if (view.exact) return seen_columns(*view.exact, columns);
    return view.grid.windows() == 1 ? Columns{0, view.width()} : seen_columns(view.grid, columns);
}

void logits_by_windows(LoadedNet& loaded, data::ImageRows& image, const ImageView& view, Columns columns,
                       const std::string& path, const TakeRows& take) {
    const auto options = loader_options(loaded.card, 1, 0, view.exact ? 1 : loaded.net->input_multiple());
    ViewRows rows(image, loaded.card, view, seen_columns(view, columns), path);
    HostBatch batch;
    std::vector<float> logits;
    const auto of_rectangle = [&](const Rectangle& r) {
        logits = {};  // not beside the net's memory
        data::Example seen{rows.cut(r), {}, r.height, r.width};
        data::pad_around(seen, view.padded, options.normalization);
        const int64_t above = std::max<int64_t>(seen.image.h - r.height, 0) / 2;
        const int64_t before = std::max<int64_t>(seen.image.w - r.width, 0) / 2;
        data::collate({seen}, options, batch);
        const DeviceBatch given = upload(batch, loaded.net->materialized().device, loaded.compute);
        // Beyond the image an exact window holds zeros, as what a net adds to an image itself.
        const Tensor x = view.exact ? window(given.images, {0, 0, r.height, r.width}) : given.images;
        logits = host_logits(loaded.net->forward(x), r.height, r.width, above, before);
        if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }))
            throw NumericError("the net gave NaN or Inf");
        return logits.data();
    };
    const int64_t channels = loaded.card.net.out_channels;
    if (view.exact) return join_windows(*view.exact, columns, channels, of_rectangle, take);
    const WindowGrid& grid = view.grid;
    const auto of_window = [&](int64_t top, int64_t left) {
        return of_rectangle({top, left, grid.window_height, grid.window_width});
    };
    if (grid.windows() > 1) return blend_windows(grid, columns, channels, of_window, take);
    require(columns == Columns{0, view.width()}, "one window: all columns");
    blend_windows(grid, channels, of_window, take);
}

void logits_at_own_size(LoadedNet& net, data::ImageRows& image, const ImageView& view, const ColumnBlock& block,
                        const std::string& path, const TakesOfBlock& takes) {
    const int64_t channels = net.card.net.out_channels;
    const Columns source = LogitRows::source_columns(view.width(), image.width(), block.own);
    const int64_t begin = std::min(source.first, block.view.first);
    const Columns columns{begin, std::max(source.end(), block.view.end()) - begin};
    const int64_t in_row = columns.count * channels;
    LogitRows own(nullptr, view.height(), view.width(), columns, channels, image.height(), image.width(), block.own);
    int64_t y = 0;
    logits_by_windows(net, image, view, columns, path, [&](int64_t first, int64_t count, const float* logits) {
        if (takes.after_windows) takes.after_windows();
        for (int64_t i = 0; takes.seen && i < count; ++i)
            takes.seen(first + i, logits + i * in_row + (block.view.first - columns.first) * channels);
        const int64_t above = first > 0 ? 1 : 0;
        own.continue_with(logits - above * in_row, first - above);
        for (int64_t end = own.complete(first + count), n; y < end; y += n) {
            n = std::min(own.rows_at_once(), end - y);
            takes.own(y, n, own.rows(y, n));
        }
    });
}

}  // namespace atrous
