#include "engine/train/evaluate.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/elementwise.h"
#include "engine/ops/label_range.h"
#include "engine/ops/metrics.h"
#include "engine/simulation.h"
#include "engine/train/label_check.h"

namespace atrous {

static Tensor image_of(const Tensor& batch, int64_t i) {
    const int64_t h = batch.dim(1), w = batch.dim(2), c = batch.dim(3);
    return batch.part(i * h * w * c, {1, h, w, c});
}

// Gives the images' counts, `cells` of each; waits for them.
static std::vector<int64_t> count_images(const Tensor& logits, const Tensor& labels, const EvaluateOptions& options,
                                         int64_t cells, LabelForm form) {
    const int64_t n = logits.dim(0);
    Tensor counts = Tensor::full({n * cells}, DType::i64, logits.device(), 0);
    for (int64_t i = 0; i < n; ++i) {
        Tensor image_counts = counts.part(i * cells, {cells});
        count_confusion(image_of(logits, i), image_of(labels, i), image_counts, options.thresholds,
                        options.ignore_index, form);
    }
    return counts.to_host<int64_t>();
}

static std::vector<double> host_terms(const Tensor& terms) {
    if (terms.dtype() == DType::f64) return terms.to_host<double>();
    const auto narrow = terms.to_host<float>();
    return {narrow.begin(), narrow.end()};
}

// The sum of the images' losses. Each by itself: the value does not depend on which images were a batch.
class LossSum {
 public:
    LossSum(const EvaluateOptions& options, Device device) : loss_of_(options.loss(device, options.compute)) {}

    // Gives each image's own loss; undefined_score where no pixel counts.
    std::vector<double> add(const Tensor& logits, const Tensor& labels, const std::vector<std::string>& names) {
        std::vector<double> losses;
        const std::vector<Tensor> terms = loss_of_->by_image(logits, labels);  // all launched before one is waited for
        for (size_t i = 0; i < terms.size(); ++i) {
            const std::vector<double> values = host_terms(terms[i]);
            const double loss = values.front(), counted = values.back();
            losses.push_back(counted > 0 ? loss : undefined_score);
            if (!(counted > 0)) continue;
            if (!std::isfinite(loss)) nonfinite_.push_back(names.at(i));
            sum_ += loss;
            ++images_;
        }
        return losses;
    }
    LabelForm label_form() const { return loss_of_->label_form(); }
    void add_to(Scores& scores) const {
        if (images_ > 0 && nonfinite_.empty()) scores.loss = sum_ / double(images_);
        scores.nonfinite = nonfinite_;
    }

 private:
    std::unique_ptr<LossFunction> loss_of_;
    double sum_ = 0;
    int64_t images_ = 0;
    std::vector<std::string> nonfinite_;
};

Scores evaluate(SegmentationNet& net, BatchSource& source, const EvaluateOptions& options,
                const EvaluateProgress& progress) {
    const NoTape off;
    const EvaluationMode mode(net);
    const Device device = net.materialized().device;
    LossSum loss(options, device);
    const LabelForm form = loss.label_form();
    const int64_t classes = form == LabelForm::bits ? net.out_channels() : std::max<int64_t>(net.out_channels(), 2);
    const int64_t cells = ConfusionMatrix::cells(classes, form);
    MetricAccumulator metrics(classes, form);
    HostBatch batch;
    int64_t images = 0;
    source.start_epoch(0);
    while (source.next(batch)) {
        const DeviceBatch d = upload(batch, device, options.compute);
        const Tensor wrong = labels_out_of_range(d.labels, net.out_channels(), options.ignore_index, form);
        const Tensor logits = net.forward(d.images);
        const std::vector<int64_t> counts = count_images(logits, d.labels, options, cells, form);
        const std::vector<int64_t> found = wrong.to_host<int64_t>();  // the counts were waited for anyway
        check_labels({found[0], found[1], found[2]}, &batch, 1, source,
                     {net.out_channels(), options.ignore_index, "in its batch", form});
        for (int64_t i = 0; i < batch.n; ++i)
            metrics.add(counts.data() + i * cells, image_of(logits, i), image_of(d.labels, i));
        const std::vector<double> losses = loss.add(logits, d.labels, batch.names);
        for (int64_t i = 0; options.on_image && i < batch.n; ++i)
            options.on_image({batch, i, counts.data() + i * cells, losses.at(size_t(i)), image_of(logits, i)});
        images += batch.n;
        if (progress) progress(batch, logits, images);
    }
    if (images == 0) throw DataError("evaluation: the data set has no images");
    Scores scores = metrics.scores();
    loss.add_to(scores);
    return scores;
}

}  // namespace atrous
