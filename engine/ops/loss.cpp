#include "engine/ops/loss.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"

namespace atrous {

namespace k = kernels;

LossValue bce_dice(const Tensor& logits, const Tensor& labels, const BceDiceOptions& options, bool look_at_labels) {
    check_labels("bce_dice", logits, labels);
    if (!(options.smoothing >= 0 && options.smoothing < 1 && options.pos_weight > 0))
        throw ShapeError(
            fmt::format("bce_dice: smoothing {}, pos_weight {}: expected a smoothing from 0 below 1 and a "
                        "weight above 0",
                        options.smoothing, options.pos_weight));
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
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index)};
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
                           {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
