#include "engine/train/loss.h"

#include <algorithm>
#include <array>

namespace atrous {

int LossOptions::ignore_index() const {
    return std::visit([](const auto& o) { return o.ignore_index; }, terms);
}

static Tensor on_device(const std::vector<double>& weights, Device device, DType type) {
    if (weights.empty()) return {};
    Tensor t = Tensor::empty({int64_t(weights.size())}, type, device);
    if (type == DType::f64) {
        t.copy_from_host(weights.data(), t.bytes());
    } else {
        const std::vector<float> narrow(weights.begin(), weights.end());
        t.copy_from_host(narrow.data(), t.bytes());
    }
    return t;
}

Loss::Loss(const LossOptions& options, Device device, DType compute)
    : options_(options), class_weights_(on_device(options.class_weights, device, accumulator_of(compute))) {
    if (!options.class_weights.empty() && std::holds_alternative<BceDiceOptions>(options.terms))
        throw UsageError("class weights belong to a softmax loss (ce, focal); this loss takes every channel by itself");
}

LossValue Loss::operator()(const Tensor& logits, const Tensor& labels, const LossShare& share) const {
    if (auto softmax = std::get_if<SoftmaxLossOptions>(&options_.terms)) {
        SoftmaxLossOptions o = *softmax;
        o.device_normalizer = share.normalizer;
        o.ce_weight *= share.weight;
        o.region_weight *= share.images * share.weight;
        return softmax_loss(logits, labels, o, class_weights_);
    }
    BceDiceOptions o = std::get<BceDiceOptions>(options_.terms);
    o.device_normalizer = share.normalizer;
    o.bce_weight *= share.weight;
    o.dice_weight *= share.images * share.weight;
    return bce_dice(logits, labels, o);
}

std::vector<Tensor> Loss::by_image(const Tensor& logits, const Tensor& labels) const {
    const int64_t n = logits.dim(0), h = logits.dim(1), w = logits.dim(2), c = logits.dim(3);
    std::vector<Tensor> terms;
    for (int64_t i = 0; i < n; ++i)
        terms.push_back((*this)(logits.part(i * h * w * c, {1, h, w, c}), labels.part(i * h * w, {1, h, w, 1})).terms);
    return terms;
}

double Loss::normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const {
    std::array<int64_t, 256> counts{};
    for (uint8_t label : labels) ++counts[label];
    if (options_.ignore_index() >= 0) counts[size_t(options_.ignore_index())] = 0;
    double sum = 0;
    const bool softmax = std::holds_alternative<SoftmaxLossOptions>(options_.terms);
    for (size_t label = 0; label < counts.size(); ++label) {
        if (softmax && channels > 1 && int64_t(label) >= channels) continue;
        const size_t id = channels == 1 ? std::min<size_t>(label, 1) : label;
        const double weight = options_.class_weights.empty() ? 1 : options_.class_weights[id];
        sum += double(counts[label]) * (softmax ? weight : double(channels));
    }
    return sum;
}

}  // namespace atrous
