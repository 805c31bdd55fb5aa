#include "engine/train/loss.h"

#include <algorithm>
#include <array>

#include "engine/ops/elementwise.h"
#include "kernels/step_log.h"

namespace atrous {

std::vector<Tensor> LossFunction::by_image(const Tensor& logits, const Tensor& labels) const {
    const int64_t n = logits.dim(0), h = logits.dim(1), w = logits.dim(2), c = logits.dim(3);
    std::vector<Tensor> terms;
    const LossShare alone{.look_at_labels = false};
    for (int64_t i = 0; i < n; ++i)
        terms.push_back(
            value(logits.part(i * h * w * c, {1, h, w, c}), labels.part(i * h * w, {1, h, w, 1}), alone).terms);
    return terms;
}

namespace {

// How many labels there are of each id, without those that are ignored.
std::array<int64_t, 256> count_labels(const std::vector<uint8_t>& labels, int ignore_index) {
    std::array<int64_t, 256> counts{};
    for (uint8_t label : labels) ++counts[label];
    if (ignore_index >= 0) counts[size_t(ignore_index)] = 0;
    return counts;
}

class BceDiceLoss : public LossFunction {
 public:
    explicit BceDiceLoss(const BceDiceOptions& options) : options_(options) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return options_.ignore_index; }
    LabelForm label_form() const override { return options_.labels; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        BceDiceOptions o = options_;
        o.device_normalizer = share.normalizer;
        o.bce_weight *= share.weight;
        o.dice_weight *= share.images * share.weight;
        return bce_dice(logits, labels, o, share.look_at_labels);
    }
    double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const override {
        double weights = 0, sum = 0;
        for (int64_t c = 0; c < channels; ++c) weights += options_.weight(c);
        for (const int64_t count : count_labels(labels, ignore_index())) sum += double(count) * weights;
        return sum;
    }

 private:
    BceDiceOptions options_;
    std::vector<LossTerm> terms_{{"bce", TermSum::parts}, {"dice", TermSum::images}};
};

class ClassLoss : public LossFunction {
 public:
    ClassLoss(const SoftmaxLossOptions& options, const std::vector<double>& weights, Device device, DType compute)
        : options_(options), weights_(weights), device_weights_(weights_on_device(weights, device, compute)) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return options_.ignore_index; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        SoftmaxLossOptions o = options_;
        o.device_normalizer = share.normalizer;
        o.ce_weight *= share.weight;
        o.region_weight *= share.images * share.weight;
        return softmax_loss(logits, labels, o, device_weights_, share.look_at_labels);
    }
    double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const override {
        const std::array<int64_t, 256> counts = count_labels(labels, ignore_index());
        double sum = 0;
        for (size_t label = 0; label < counts.size(); ++label) {
            if (channels > 1 && int64_t(label) >= channels) continue;
            const size_t id = channels == 1 ? std::min<size_t>(label, 1) : label;
            sum += double(counts[label]) * (weights_.empty() ? 1 : weights_[id]);
        }
        return sum;
    }

 private:
    SoftmaxLossOptions options_;
    std::vector<double> weights_;
    Tensor device_weights_;
    std::vector<LossTerm> terms_{{"cross_entropy", TermSum::parts}, {"dice", TermSum::images}};
};

class SumOfLosses : public LossFunction {
 public:
    SumOfLosses(std::vector<std::unique_ptr<LossFunction>> losses, std::vector<double> weights)
        : losses_(std::move(losses)), weights_(std::move(weights)) {
        weights_.resize(losses_.size(), 1.0);
        for (const auto& loss : losses_)
            for (const LossTerm& term : loss->terms())
                terms_.push_back(loss == losses_.front() ? term : LossTerm{term.name, TermSum::images});
        if (terms_.size() > size_t(kernels::max_loss_terms))
            throw UsageError("`loss`: its parts have " + std::to_string(terms_.size()) +
                             " terms together; expected at most " + std::to_string(kernels::max_loss_terms));
    }
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return losses_.front()->ignore_index(); }
    LabelForm label_form() const override { return losses_.front()->label_form(); }
    double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const override {
        return losses_.front()->normalizer_of(labels, channels);
    }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        std::vector<LossValue> values;
        Tensor sum;
        for (const auto& loss : losses_) {
            const double weight = share.weight * weights_[values.size()];
            const LossShare own = values.empty()
                                      ? LossShare{share.normalizer, share.images, weight, share.look_at_labels}
                                      : LossShare{nullptr, 1, weight * share.images, false};
            values.push_back(loss->value(logits, labels, own));
            sum = sum.defined() ? add(sum, values.back().loss) : values.back().loss;
        }
        return {sum, joined(sum, values), values.front().labels_out_of_range};
    }

 private:
    // The sum, every part's terms, and what the first part counts.
    Tensor joined(const Tensor& sum, const std::vector<LossValue>& values) const {
        const NoTape off;
        Tensor terms = Tensor::empty({int64_t(terms_.size()) + 2}, sum.dtype(), sum.device());
        terms.part(0, {1}).copy_from(sum);
        int64_t at = 1;
        for (size_t i = 0; i < values.size(); ++i) {
            const int64_t count = int64_t(losses_[i]->terms().size());
            if (count > 0) terms.part(at, {count}).copy_from(values[i].terms.part(1, {count}));
            at += count;
        }
        const Tensor& first = values.front().terms;
        terms.part(at, {1}).copy_from(first.part(first.count() - 1, {1}));
        return terms;
    }

    std::vector<std::unique_ptr<LossFunction>> losses_;
    std::vector<double> weights_;
    std::vector<LossTerm> terms_;
};

}  // namespace

Tensor weights_on_device(const std::vector<double>& class_weights, Device device, DType compute) {
    if (class_weights.empty()) return {};
    Tensor t = Tensor::empty({int64_t(class_weights.size())}, accumulator_of(compute), device);
    if (t.dtype() == DType::f64) {
        t.copy_from_host(class_weights.data(), t.bytes());
    } else {
        const std::vector<float> narrow(class_weights.begin(), class_weights.end());
        t.copy_from_host(narrow.data(), t.bytes());
    }
    return t;
}

LossFactory bce_dice_loss(const BceDiceOptions& options) {
    return [options](Device, DType) { return std::make_unique<BceDiceLoss>(options); };
}

LossFactory class_loss(const SoftmaxLossOptions& options, const std::vector<double>& class_weights) {
    return [options, class_weights](Device device, DType compute) {
        return std::make_unique<ClassLoss>(options, class_weights, device, compute);
    };
}

LossFactory sum_of_losses(std::vector<LossFactory> losses, std::vector<double> weights) {
    if (losses.size() == 1 && (weights.empty() || weights[0] == 1)) return losses.front();
    return [losses = std::move(losses), weights = std::move(weights)](Device device, DType compute) {
        std::vector<std::unique_ptr<LossFunction>> made;
        for (const LossFactory& loss : losses) made.push_back(loss(device, compute));
        return std::make_unique<SumOfLosses>(std::move(made), weights);
    };
}

}  // namespace atrous
