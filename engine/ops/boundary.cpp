#include "engine/ops/boundary.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"
#include "kernels/class_slopes.h"

namespace atrous {

namespace k = kernels;

static void backward(Gradients& g, const BoundaryOptions& o) {
    if (!g.wants(0)) return;
    const Tensor& logits = g.saved(0);
    run(g.output().device(),
        {k::reference::class_slopes_backward, k::cpu::class_slopes_backward, k::cuda::class_slopes_backward},
        k::ClassSlopesBackwardArgs{logits.view(), g.saved(1).data(), g.output().data(), g.grad_target(0), o.weight});
}

LossValue boundary(const Tensor& logits, const Tensor& labels, const BoundaryOptions& options, bool look_at_labels) {
    check_labels("boundary", logits, labels);
    if (logits.dim(3) > k::max_classes)
        throw ShapeError(fmt::format("boundary: {} classes, expected at most {}", logits.dim(3), k::max_classes));
    if (std::max(logits.dim(1), logits.dim(2)) > k::longest_boundary_side)
        throw ShapeError(fmt::format("boundary: images of {}x{}, expected at most {} pixels a side; take crops",
                                     logits.dim(2), logits.dim(1), k::longest_boundary_side));
    const DType sum_type = accumulator_of(logits.dtype());
    Tensor slopes = Tensor::empty({logits.count()}, sum_type, logits.device());
    Tensor terms = Tensor::empty({3}, sum_type, logits.device());
    run(logits.device(), {k::reference::boundary_forward, k::cpu::boundary_forward, k::cuda::boundary_forward, true},
        k::BoundaryForwardArgs{logits.view(), labels.as<uint8_t>(), slopes.data(), terms.data(), options});
    const Tensor loss = record({.op = "boundary",
                                .inputs = {logits},
                                .output = terms.part(0, {1}),
                                .attributes = {{"weight", options.weight}},
                                .saved = {logits, slopes},
                                .backward = [options](Gradients& g) { backward(g, options); }});
    if (!look_at_labels) return {loss, terms};
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index)};
}

static OpResults call(const OpArguments& a) {
    BoundaryOptions o;
    o.weight = a.number("weight");
    o.background = a.flag("background");
    o.ignore_index = int(a.integer("ignore_index", -1));
    return as_results(boundary(a.tensor("logits"), a.tensor("labels"), o));
}

OpDescriptor describe_boundary() {
    return {.name = "boundary",
            .inputs = {{"logits"}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"weight", "1"}, {"background", "false"}, {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
