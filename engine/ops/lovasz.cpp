#include "engine/ops/lovasz.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"
#include "kernels/class_slopes.h"

namespace atrous {

namespace k = kernels;

static void backward(Gradients& g, const LovaszOptions& o) {
    if (!g.wants(0)) return;
    const Tensor& logits = g.saved(0);
    run(g.output().device(),
        {k::reference::class_slopes_backward, k::cpu::class_slopes_backward, k::cuda::class_slopes_backward},
        k::ClassSlopesBackwardArgs{logits.view(), g.saved(1).data(), g.output().data(), g.grad_target(0), o.weight});
}

LossValue lovasz(const Tensor& logits, const Tensor& labels, const LovaszOptions& options, bool look_at_labels) {
    check_labels("lovasz", logits, labels);
    if (logits.dim(3) > k::max_classes)
        throw ShapeError(fmt::format("lovasz: {} classes, expected at most {}", logits.dim(3), k::max_classes));
    const DType sum_type = accumulator_of(logits.dtype());
    Tensor slopes = Tensor::empty({logits.count()}, sum_type, logits.device());
    Tensor terms = Tensor::empty({3}, sum_type, logits.device());
    run(logits.device(), {k::reference::lovasz_forward, k::cpu::lovasz_forward, k::cuda::lovasz_forward, true},
        k::LovaszForwardArgs{logits.view(), labels.as<uint8_t>(), slopes.data(), terms.data(), options});
    const Tensor loss = record({.op = "lovasz",
                                .inputs = {logits},
                                .output = terms.part(0, {1}),
                                .attributes = {{"weight", options.weight}},
                                .saved = {logits, slopes},
                                .backward = [options](Gradients& g) { backward(g, options); }});
    if (!look_at_labels) return {loss, terms};
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index)};
}

static OpResults call(const OpArguments& a) {
    LovaszOptions o;
    o.weight = a.number("weight");
    o.classes = a.choice("classes", {"present", "all"}) == 0 ? LovaszClasses::present : LovaszClasses::all;
    o.per_image = a.flag("per_image");
    o.ignore_index = int(a.integer("ignore_index", -1));
    return as_results(lovasz(a.tensor("logits"), a.tensor("labels"), o));
}

OpDescriptor describe_lovasz() {
    return {.name = "lovasz",
            .inputs = {{"logits"}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"weight", "1"}, {"classes", "present"}, {"per_image", "false"}, {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
