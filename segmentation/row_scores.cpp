#include "segmentation/row_scores.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/band_files.h"
#include "data/mask_rows.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"

namespace atrous {

namespace {

using Counts = std::vector<int64_t>;
using OnRow = decltype(RowScoring::on_row);

// Compares rows of logits with the rows of the mask at the same size, from the top; of both some columns.
class RowCounter {
 public:
    RowCounter(const data::MaskRows& mask, const data::MaskRule& rule, ImageSize own, ImageSize size, Columns columns,
               const ModelCard& card, const ClassThresholds& thresholds, OnRow on_row = {})
        : labels_(mask, rule, own, size, columns),
          mask_(mask.path()),
          width_(columns.count),
          channels_(card.net.out_channels),
          classes_(card.classes()),
          form_(card.label_form()),
          thresholds_(thresholds),
          counts_(size_t(ConfusionMatrix::cells(classes_, form_))),
          on_row_(std::move(on_row)) {}

    void add(int64_t rows, const float* logits) {
        for (int64_t y = 0; y < rows; ++y) {
            const data::Image truth = labels_.next(1);
            const data::Image ids =
                labels_of(logits + y * width_ * channels_, 1, width_, channels_, thresholds_, form_);
            if (on_row_) on_row_(logits + y * width_ * channels_, truth.u8.data(), width_);
            for (size_t x = 0; x < truth.u8.size(); ++x) {
                const int64_t label = truth.u8[x];
                if (label == data::ignored_class) continue;
                if (label >= label_values(form_, classes_)) refuse(label);
                ConfusionMatrix::count(counts_.data(), classes_, form_, int(label), ids.u8[x]);
            }
        }
    }
    const Counts& counts() const { return counts_; }

 private:
    [[noreturn]] void refuse(int64_t label) const {
        throw DataError(
            fmt::format("{}: the mask holds class {}, the net has {} classes; give `mask-values` that make "
                        "others of it",
                        mask_, label, classes_));
    }
    data::LabelRows labels_;
    std::string mask_;
    int64_t width_, channels_, classes_;
    LabelForm form_;
    ClassThresholds thresholds_;
    Counts counts_;
    OnRow on_row_;
};

std::unique_ptr<data::ImageRows> rows_of(const data::Sample& sample) {
    constexpr int64_t held = 1 << 22;  // pixels of an image that is decoded once
    return sample.bands.empty() ? data::open_rows(sample.image_path, held) : data::open_bands(sample.bands, held);
}

struct ImageCounts {
    Counts seen, native;
};

ImageCounts counts_of_block(LoadedNet& net, data::ImageRows& image, const ImageView& view, const ColumnBlock& block,
                            const data::MaskRows& mask, const data::MaskRule& rule, const std::string& path,
                            const RowScoring& o) {
    const ImageSize own(image.height(), image.width()), size(view.height(), view.width());
    RowCounter seen(mask, rule, own, size, block.view, net.card, o.thresholds, o.on_row);
    if (!o.native) {
        logits_by_windows(net, image, view, block.view, path,
                          [&](int64_t, int64_t n, const float* logits) { seen.add(n, logits); });
        return {seen.counts(), {}};
    }
    RowCounter native(mask, rule, own, own, block.own, net.card, o.thresholds);
    const auto add_native = [&](int64_t, int64_t n, const float* logits) { native.add(n, logits); };
    const auto add_seen = [&](int64_t, const float* row) { seen.add(1, row); };
    logits_at_own_size(net, image, view, block, path, {add_native, {}, add_seen});
    return {seen.counts(), native.counts()};
}

ImageCounts counts_of(LoadedNet& net, const data::Sample& sample, const data::MaskRule& rule, const RowScoring& o) {
    const auto image = rows_of(sample);
    const ImageSize own(image->height(), image->width());
    const ImageView view = view_of(net.card, o.windows, own.height, own.width, net.halo);
    const data::MaskRows mask(sample, own.height, own.width);
    const int64_t of_masks = mask.bytes_a_column() * (o.native ? 2 : 1);
    const auto cells = size_t(ConfusionMatrix::cells(net.card.classes(), net.card.label_form()));
    ImageCounts all{Counts(cells), Counts(o.native ? cells : 0)};
    for (const ColumnBlock& block :
         column_blocks(*image, view, net.card.net.out_channels, of_masks, o.windows.rows_in_memory)) {
        const ImageCounts counts = counts_of_block(net, *image, view, block, mask, rule, sample.image_path, o);
        for (size_t i = 0; i < all.seen.size(); ++i) all.seen[i] += counts.seen[i];
        for (size_t i = 0; i < all.native.size(); ++i) all.native[i] += counts.native[i];
    }
    return all;
}

}  // namespace

static bool is_too_large(int64_t height, int64_t width, int64_t most_pixels, int64_t bytes_a_pixel) {
    return height > std::min(most_pixels, data::most_bytes_whole / bytes_a_pixel) / width;
}

bool needs_rows(const LoadedNet& net, const WindowOptions& windows, const data::DatasetReport& set) {
    const int64_t bytes = set.channels * (set.float_images > 0 ? 4 : set.deep_images > 0 ? 2 : 1);
    return std::any_of(set.sizes.begin(), set.sizes.end(), [&](ImageSize size) {
        if (is_too_large(size.height, size.width, most_decoded_whole, bytes)) return true;
        WindowOptions of_size = windows;
        if (windows.windows == "exact") of_size.windows = "on";  // of the same size, and found at once
        const ImageView view = view_of(net.card, of_size, size.height, size.width);
        return is_too_large(view.height(), view.width(), most_seen_whole, 4 * set.channels);
    });
}

ScoresByRows score_by_rows(LoadedNet& net, const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                           const RowScoring& options) {
    MetricAccumulator seen(net.card.classes(), net.card.label_form()),
        native(net.card.classes(), net.card.label_form());
    std::vector<std::string> nonfinite;
    int64_t done = 0;
    for (const data::Sample& sample : samples) {
        try {
            const ImageCounts counts = counts_of(net, sample, rule, options);
            seen.add(counts.seen.data());
            if (options.native) native.add(counts.native.data());
            if (options.on_image) options.on_image(sample.name, counts.seen.data());
        } catch (const NumericError&) {
            nonfinite.push_back(sample.name);
        }
        if (options.progress) options.progress(++done);
    }
    ScoresByRows all{seen.scores(), native.scores()};
    all.scores.nonfinite = all.native.nonfinite = nonfinite;
    for (Scores* scores : {&all.scores, &all.native}) scores->images += int64_t(nonfinite.size());
    return all;
}

}  // namespace atrous
