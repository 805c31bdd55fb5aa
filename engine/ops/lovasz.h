// Lovász hinge and Lovász softmax; formulas and source in kernels/lovasz.h.
#pragma once

#include "engine/ops/loss.h"
#include "kernels/lovasz.h"

namespace atrous {

using kernels::LovaszClasses;
using kernels::LovaszOptions;

// logits [N][H][W][C], labels u8 [N][H][W][1]. The terms are: loss, lovasz without its weight, counted pixels. Keeps C
// values of the accumulator type a pixel for the gradient.
// look_at_labels as bce_dice has it.
LossValue lovasz(const Tensor& logits, const Tensor& labels, const LovaszOptions& options = {},
                 bool look_at_labels = true);

OpDescriptor describe_lovasz();
inline const AddedOps lovasz_added{describe_lovasz};

}  // namespace atrous
