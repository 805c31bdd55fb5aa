#include "engine/ops/slopes_loss.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"
#include "kernels/class_slopes.h"

namespace atrous {

namespace k = kernels;

static void backward(Gradients& g, double weight) {
    if (!g.wants(0)) return;
    const Tensor& logits = g.saved(0);
    run(g.output().device(),
        {k::reference::class_slopes_backward, k::cpu::class_slopes_backward, k::cuda::class_slopes_backward},
        k::ClassSlopesBackwardArgs{logits.view(), g.saved(1).data(), g.output().data(), g.grad_target(0), weight});
}

LossValue slopes_loss(const SlopesLoss& of, const Tensor& logits, const Tensor& labels, bool look_at_labels,
                      const FillSlopes& forward) {
    check_labels(of.op.c_str(), logits, labels);
    if (logits.dim(3) > k::max_classes)
        throw ShapeError(fmt::format("{}: {} classes, expected at most {}", of.op, logits.dim(3), k::max_classes));
    const DType sum_type = accumulator_of(logits.dtype());
    Tensor slopes = Tensor::empty({logits.count()}, sum_type, logits.device());
    Tensor terms = Tensor::empty({3}, sum_type, logits.device());
    forward(slopes.data(), terms.data());
    const Tensor loss = record({.op = of.op,
                                .inputs = {logits},
                                .output = terms.part(0, {1}),
                                .attributes = {{"weight", of.weight}},
                                .saved = {logits, slopes},
                                .backward = [weight = of.weight](Gradients& g) { backward(g, weight); }});
    if (!look_at_labels) return {loss, terms};
    return {loss, terms, labels_out_of_range(labels, logits.dim(3), of.ignore_index)};
}

}  // namespace atrous
