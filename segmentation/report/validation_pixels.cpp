#include "segmentation/report/validation_pixels.h"

#include <algorithm>

#include "data/mask.h"
#include "engine/ops/elementwise.h"
#include "engine/shape.h"

namespace atrous::report {

ValidationPixels::ValidationPixels(const ModelCard& card)
    : softmax_(is_softmax(card)), form_(card.label_form()), hard_regions_(card) {
    const int64_t channels = card.net.out_channels;
    if (channels == 1 || (channels == 2 && softmax_)) precision_recall_.emplace();
}

void ValidationPixels::clear() {
    if (precision_recall_) precision_recall_->clear();
    hard_regions_.clear();
}

static void add_row(PrecisionRecall& curve, const float* logits, const uint8_t* labels, int64_t w, int64_t channels) {
    for (int64_t x = 0; x < w; ++x) {
        if (labels[x] == data::ignored_class) continue;
        const float* z = logits + x * channels;
        curve.add(channels == 1 ? z[0] : z[1] - z[0], labels[x] == 1);
    }
}

// The rows `first`, `first` + `step`, … of logits [1][h][w][c], on the host: only these leave the device.
static std::vector<float> host_rows(const Tensor& logits, int64_t first, int64_t count, int64_t step) {
    const int64_t row = logits.dim(2) * logits.dim(3);
    const int64_t whole = std::min(count, (logits.dim(1) - first) / step);  // that have step - 1 rows behind them
    std::vector<float> rows;
    const auto take = [&](const Tensor& some) {
        const std::vector<float> values = cast(some, DType::f32).dense().to_host<float>();
        rows.insert(rows.end(), values.begin(), values.end());
    };
    if (whole > 0) take(logits.part(first * row, {1, whole, 1, step * row}).slice_channels(0, row));
    if (whole < count) take(logits.part((first + whole * step) * row, {1, 1, 1, row}));
    return rows;
}

// The curve needs all rows, the regions those that they sample.
void ValidationPixels::add(const ImageResult& image) {
    constexpr int64_t most_values = 1 << 20;
    const int64_t h = image.batch.h, w = image.batch.w, c = image.logits.dim(3);
    RegionLosses losses(h, w);
    const int64_t step = precision_recall_ ? 1 : losses.step(), rows = std::max<int64_t>(1, most_values / (w * c));
    for (int64_t first = 0; first < h; first += rows * step) {
        const int64_t count = std::min(rows, ceil_div(h - first, step));
        const std::vector<float> logits = host_rows(image.logits, first, count, step);
        for (int64_t y = first; y < std::min(h, first + count * step); y += step) {
            const float* row = logits.data() + (y - first) / step * w * c;
            const uint8_t* labels = image.batch.labels.data() + (image.index * h + y) * w;
            if (precision_recall_) add_row(*precision_recall_, row, labels, w, c);
            if (y % losses.step() == 0) losses.add_row(y, row, labels, c, softmax_, form_);
        }
    }
    hard_regions_.add(image, losses);
}

}  // namespace atrous::report
