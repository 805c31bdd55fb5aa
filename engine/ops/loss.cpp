#include "engine/ops/loss.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"

namespace atrous {

namespace k = kernels;

static void check_bits_alone(const BceDiceOptions& o) {
    const bool tversky = o.alpha != 0.5 || o.beta != 0.5 || o.exponent != 1;
    if (o.gamma < 0 || o.alpha < 0 || o.beta < 0 || !(o.exponent > 0) ||
        (o.gamma > 0 && (o.smoothing > 0 || o.pos_weight != 1)) ||
        (o.labels == LabelForm::ids && (o.gamma > 0 || tversky)))
        throw ShapeError(fmt::format(
            "bce_dice: gamma {}, alpha {}, beta {}, exponent {}: expected them of labels in bits alone, none "
            "below 0, an exponent above it, and a gamma without smoothing and pos_weight",
            o.gamma, o.alpha, o.beta, o.exponent));
}

LossValue bce_dice(const Tensor& logits, const Tensor& labels, const BceDiceOptions& options, bool look_at_labels) {
    check_labels("bce_dice", logits, labels);
    check_label_form("bce_dice", logits, options.labels);
    if (!(options.smoothing >= 0 && options.smoothing < 1 && options.pos_weight > 0))
        throw ShapeError(
            fmt::format("bce_dice: smoothing {}, pos_weight {}: expected a smoothing from 0 below 1 and a "
                        "weight above 0",
                        options.smoothing, options.pos_weight));
    check_bits_alone(options);
    const DType sum_type = accumulator_of(logits.dtype());
    Tensor sums = Tensor::empty({logits.dim(0) * logits.dim(3) * k::bce_dice_sums}, sum_type, logits.device());
    Tensor terms = Tensor::empty({4}, sum_type, logits.device());
    run(logits.device(), {k::reference::bce_dice_forward, k::cpu::bce_dice_forward, k::cuda::bce_dice_forward},
        k::BceDiceForwardArgs{logits.view(), labels.as<uint8_t>(), sums.data(), terms.data(), options});
    const Tensor loss =
        record({.op = "bce_dice",
                .inputs = {logits},
                .output = terms.part(0, {1}),
                .attributes = {{"bce_weight", options.bce_weight},
                               {"dice_weight", options.dice_weight},
                               {"smooth", options.smooth},
                               {"smoothing", options.smoothing},
                               {"pos_weight", options.pos_weight}},
                .saved = {logits, labels, sums},
                .backward = [options](Gradients& g) {
                    if (!g.wants(0)) return;
                    run(g.output().device(),
                        {k::reference::bce_dice_backward, k::cpu::bce_dice_backward, k::cuda::bce_dice_backward},
                        k::BceDiceBackwardArgs{g.saved(0).view(), g.saved(1).as<uint8_t>(), g.saved(2).data(),
                                               g.output().data(), g.grad_target(0), options});
                }});
    if (!look_at_labels) return {loss, terms};
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index, options.labels)};
}

LabelForm label_form(const OpArguments& a) {
    return a.choice("label_form", {"ids", "bits"}) == 0 ? LabelForm::ids : LabelForm::bits;
}

DiceGroups dice_groups(const OpArguments& a) {
    constexpr DiceGroups groups[] = {DiceGroups::batch, DiceGroups::sample, DiceGroups::all};
    return groups[a.choice("groups", {"batch", "sample", "all"})];
}

OpResults as_results(const LossValue& value) {
    OpResults results{{{"loss", OperandKind::vector}, value.loss}, {{"terms", OperandKind::vector}, value.terms}};
    if (value.labels_out_of_range.defined())
        results.push_back({{"labels_out_of_range", OperandKind::counts}, value.labels_out_of_range});
    return results;
}

static OpResults call(const OpArguments& a) {
    BceDiceOptions o;
    o.bce_weight = a.number("bce_weight");
    o.dice_weight = a.number("dice_weight");
    o.smooth = a.number("smooth");
    o.smoothing = a.number("smoothing");
    o.pos_weight = a.number("pos_weight");
    o.ignore_index = int(a.integer("ignore_index", -1));
    o.groups = dice_groups(a);
    o.labels = label_form(a);
    o.gamma = a.number("gamma");
    o.alpha = a.number("alpha");
    o.beta = a.number("beta");
    o.exponent = a.number("exponent");
    return as_results(bce_dice(a.tensor("logits"), a.tensor("labels"), o));
}

OpDescriptor describe_bce_dice() {
    return {.name = "bce_dice",
            .inputs = {{"logits"}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"bce_weight", "1"},
                           {"dice_weight", "1"},
                           {"smooth", "1"},
                           {"smoothing", "0"},
                           {"pos_weight", "1"},
                           {"groups", "batch"},
                           {"ignore_index", "255"},
                           {"label_form", "ids"},
                           {"gamma", "0"},
                           {"alpha", "0.5"},
                           {"beta", "0.5"},
                           {"exponent", "1"}},
            .call = call};
}

}  // namespace atrous
