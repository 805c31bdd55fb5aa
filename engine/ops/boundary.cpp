#include "engine/ops/boundary.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/context.h"
#include "engine/ops/slopes_loss.h"

namespace atrous {

namespace k = kernels;

LossValue boundary(const Tensor& logits, const Tensor& labels, const BoundaryOptions& options, bool look_at_labels) {
    if (std::max(logits.dim(1), logits.dim(2)) > k::longest_boundary_side)
        throw ShapeError(fmt::format("boundary: images of {}x{}, expected at most {} pixels a side; take crops",
                                     logits.dim(2), logits.dim(1), k::longest_boundary_side));
    return slopes_loss(
        {"boundary", options.weight, options.ignore_index}, logits, labels, look_at_labels,
        [&](void* slopes, void* terms) {
            run(logits.device(),
                {k::reference::boundary_forward, k::cpu::boundary_forward, k::cuda::boundary_forward, true},
                k::BoundaryForwardArgs{logits.view(), labels.as<uint8_t>(), slopes, terms, options});
        });
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
