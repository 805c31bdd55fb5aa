#include "segmentation/native_scores.h"

#include <algorithm>

#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"

namespace atrous {

NativeScores::NativeScores(const ModelCard& card, const data::MaskRule& rule, const std::vector<data::Sample>& samples,
                           const data::LoaderOptions& loader, const ClassThresholds& thresholds)
    : card_(card),
      rule_(rule),
      samples_(samples),
      loader_(loader),
      thresholds_(thresholds),
      metrics_(card.classes(), card.label_form()) {}

void NativeScores::add(const HostBatch& batch, const Tensor& logits) {
    const int64_t h = logits.dim(1), w = logits.dim(2), c = logits.dim(3);
    for (int64_t i = 0; i < batch.n; ++i)
        add_image(samples_.at(size_t(batch.indices[size_t(i)])), logits.part(i * h * w * c, {1, h, w, c}));
}

void NativeScores::add_image(const data::Sample& sample, const Tensor& logits) {
    data::LoaderOptions as_it_is;
    as_it_is.channels = 0;
    const data::Example truth = data::load_sample(sample, rule_, as_it_is);
    const int64_t h = truth.labels.h, w = truth.labels.w, c = logits.dim(3), classes = card_.classes();
    const data::Placement place = data::placement_of(loader_, {h, w});
    const std::vector<float> of_net = host_logits(logits, place.size.height, place.size.width, place.top, place.left);
    LogitRows large(of_net, place.size.height, place.size.width, c, h, w);
    const LabelForm form = card_.label_form();
    std::vector<int64_t> counts(size_t(ConfusionMatrix::cells(classes, form)));
    std::vector<uint8_t> predicted;
    for (int64_t y = 0, n; y < h; y += n) {
        n = std::min(large.rows_at_once(), h - y);
        const data::Image ids = labels_of(large.rows(y, n), n, w, c, thresholds_, form);
        for (int64_t p = 0; p < n * w; ++p) {
            const uint8_t label = truth.labels.u8[size_t(y * w + p)];
            if (label != data::ignored_class)
                ConfusionMatrix::count(counts.data(), classes, form, label, ids.u8[size_t(p)]);
        }
        if (surfaces_) predicted.insert(predicted.end(), ids.u8.begin(), ids.u8.end());
    }
    metrics_.add(counts.data());
    if (surfaces_) surfaces_->add(truth.labels.u8.data(), predicted.data(), h, w);
}

}  // namespace atrous
