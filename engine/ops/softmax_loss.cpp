#include "engine/ops/softmax_loss.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"

namespace atrous {

namespace k = kernels;

void check_class_weights(const char* op, const Tensor& logits, const Tensor& weights) {
    const Shape expected{std::max<int64_t>(logits.dim(3), 2)};
    if (weights.defined() && (weights.shape() != expected || weights.dtype() != accumulator_of(logits.dtype()) ||
                              weights.device() != logits.device()))
        throw ShapeError(fmt::format("{}: class weights are {} {} on {}, expected {} {} on {}", op,
                                     name_of(weights.dtype()), weights.shape().text(), name_of(weights.device()),
                                     name_of(accumulator_of(logits.dtype())), expected.text(),
                                     name_of(logits.device())));
}

static void check_options(const Tensor& logits, const SoftmaxLossOptions& o) {
    if (logits.dim(3) > k::max_classes)
        throw ShapeError(fmt::format("softmax_loss: {} classes, expected at most {}", logits.dim(3), k::max_classes));
    if (o.gamma < 0 || o.alpha < 0 || o.beta < 0 || o.smooth < 0 || !(o.exponent > 0))
        throw ShapeError(
            fmt::format("softmax_loss: gamma {}, alpha {}, beta {}, smooth {}, exponent {}: expected none "
                        "below 0 and an exponent above it",
                        o.gamma, o.alpha, o.beta, o.smooth, o.exponent));
    if (!(o.smoothing >= 0 && o.smoothing < 1) || (o.smoothing > 0 && o.gamma > 0))
        throw ShapeError(
            fmt::format("softmax_loss: smoothing {}, gamma {}: expected a smoothing from 0 below 1, and "
                        "one of the two to be 0",
                        o.smoothing, o.gamma));
}

static void backward(Gradients& g, const SoftmaxLossOptions& options) {
    if (!g.wants(0)) return;
    const bool weighted = g.saved_count() > 4;
    run(g.output().device(),
        {k::reference::softmax_loss_backward, k::cpu::softmax_loss_backward, k::cuda::softmax_loss_backward},
        k::SoftmaxLossBackwardArgs{g.saved(0).view(), g.saved(1).as<uint8_t>(), weighted ? g.saved(4).data() : nullptr,
                                   g.saved(2).data(), g.saved(3).as<int64_t>(), g.output().data(), g.grad_target(0),
                                   options});
}

LossValue softmax_loss(const Tensor& logits, const Tensor& labels, const SoftmaxLossOptions& options,
                       const Tensor& class_weights, bool look_at_labels) {
    check_labels("softmax_loss", logits, labels);
    check_options(logits, options);
    check_class_weights("softmax_loss", logits, class_weights);
    const DType sum_type = accumulator_of(logits.dtype());
    const int64_t images = logits.dim(0), classes = std::max<int64_t>(logits.dim(3), 2);
    Tensor sums = Tensor::empty({images * (1 + 2 * classes)}, sum_type, logits.device());
    Tensor counts = Tensor::empty({images * classes}, DType::i64, logits.device());
    Tensor terms = Tensor::empty({4}, sum_type, logits.device());
    run(logits.device(),
        {k::reference::softmax_loss_forward, k::cpu::softmax_loss_forward, k::cuda::softmax_loss_forward},
        k::SoftmaxLossForwardArgs{logits.view(), labels.as<uint8_t>(), class_weights.data(), sums.data(),
                                  counts.as<int64_t>(), terms.data(), options});
    std::vector<Saved> saved{logits, labels, sums, counts};
    if (class_weights.defined()) saved.emplace_back(class_weights);
    const Tensor loss = record({.op = "softmax_loss",
                                .inputs = {logits},
                                .output = terms.part(0, {1}),
                                .attributes = {{"ce_weight", options.ce_weight},
                                               {"region_weight", options.region_weight},
                                               {"gamma", options.gamma},
                                               {"smoothing", options.smoothing},
                                               {"alpha", options.alpha},
                                               {"beta", options.beta},
                                               {"smooth", options.smooth},
                                               {"exponent", options.exponent}},
                                .saved = std::move(saved),
                                .backward = [options](Gradients& g) { backward(g, options); }});
    if (!look_at_labels) return {loss, terms};
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index)};
}

static OpResults call(const OpArguments& a) {
    SoftmaxLossOptions o;
    o.ce_weight = a.number("ce_weight");
    o.region_weight = a.number("region_weight");
    o.gamma = a.number("gamma");
    o.smoothing = a.number("smoothing");
    o.alpha = a.number("alpha");
    o.beta = a.number("beta");
    o.smooth = a.number("smooth");
    o.exponent = a.number("exponent");
    o.background = a.flag("background");
    o.ignore_index = int(a.integer("ignore_index", -1));
    o.groups = dice_groups(a);
    return as_results(softmax_loss(a.tensor("logits"), a.tensor("labels"), o, a.tensor("class_weights")));
}

OpDescriptor describe_softmax_loss() {
    return {.name = "softmax_loss",
            .inputs = {{"logits"},
                       {"labels", OperandKind::labels, true, false},
                       {"class_weights", OperandKind::vector, false, false}},
            .attributes = {{"ce_weight", "1"},
                           {"region_weight", "0"},
                           {"gamma", "0"},
                           {"smoothing", "0"},
                           {"alpha", "0.5"},
                           {"beta", "0.5"},
                           {"smooth", "1"},
                           {"exponent", "1"},
                           {"groups", "batch"},
                           {"background", "true"},
                           {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
