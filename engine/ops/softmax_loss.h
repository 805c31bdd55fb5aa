// Softmax cross-entropy, focal, Dice and Tversky losses; formulas in kernels/softmax_loss.h.
#pragma once

#include "engine/ops/loss.h"
#include "kernels/softmax_loss.h"

namespace atrous {

using kernels::SoftmaxLossOptions;

// ce_weight * cross-entropy (or focal) + region_weight * (Dice, Tversky or focal Tversky), in one pass. logits
// [N][H][W][C], labels u8 [N][H][W][1]; class_weights [C] (2 where C = 1) of the accumulator type, or undefined. The
// terms are: loss, cross-entropy, mean index of the groups (Dice), counted pixels. look_at_labels as of bce_dice.
LossValue softmax_loss(const Tensor& logits, const Tensor& labels, const SoftmaxLossOptions& options = {},
                       const Tensor& class_weights = {}, bool look_at_labels = true);

// Throws ShapeError in the name of `op` unless they are class weights that softmax_loss takes with these logits.
void check_class_weights(const char* op, const Tensor& logits, const Tensor& class_weights);

OpDescriptor describe_softmax_loss();
inline const AddedOps softmax_loss_added{describe_softmax_loss};

}  // namespace atrous
