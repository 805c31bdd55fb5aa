#include "segmentation/report/validation_pixels.h"

#include <algorithm>

#include "data/mask.h"
#include "segmentation/postprocess.h"

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

void ValidationPixels::add(const ImageResult& image) {
    constexpr int64_t most_values = 1 << 20;
    const int64_t h = image.batch.h, w = image.batch.w, c = image.logits.dim(3);
    const int64_t rows = std::max<int64_t>(1, most_values / (w * c));
    RegionLosses losses(h, w);
    for (int64_t first = 0; first < h; first += rows) {
        const int64_t count = std::min(rows, h - first);
        const std::vector<float> logits = host_logits(image.logits.part(first * w * c, {1, count, w, c}), count, w);
        for (int64_t y = first; y < first + count; ++y) {
            const float* row = logits.data() + (y - first) * w * c;
            const uint8_t* labels = image.batch.labels.data() + (image.index * h + y) * w;
            if (precision_recall_) add_row(*precision_recall_, row, labels, w, c);
            if (y % losses.step() == 0) losses.add_row(y, row, labels, c, softmax_, form_);
        }
    }
    hard_regions_.add(image, losses);
}

}  // namespace atrous::report
