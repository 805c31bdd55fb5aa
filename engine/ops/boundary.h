// The boundary loss; formula and source in kernels/boundary.h.
#pragma once

#include "engine/ops/loss.h"
#include "kernels/boundary.h"

namespace atrous {

using kernels::BoundaryOptions;

// logits [N][H][W][C], labels u8 [N][H][W][1], H and W at most 32767. The terms are: loss, boundary without its weight,
// counted pixels. Keeps C values of the accumulator type a pixel for the gradient.
// look_at_labels as bce_dice has it.
LossValue boundary(const Tensor& logits, const Tensor& labels, const BoundaryOptions& options = {},
                   bool look_at_labels = true);

OpDescriptor describe_boundary();
inline const AddedOps boundary_added{describe_boundary};

}  // namespace atrous
