// Losses; formulas in kernels/loss.h.
#pragma once

#include "engine/ops/descriptor.h"
#include "kernels/loss.h"

namespace atrous {

using kernels::BceDiceOptions;
using kernels::DiceGroups;

struct LossValue {
    Tensor loss;   // [1], what backward starts from
    Tensor terms;  // [4]: loss, bce, dice, counted elements; detached
};

DiceGroups dice_groups(const OpArguments& a);  // the attribute "groups" of a loss
OpResults as_results(const LossValue& value);  // "loss" and "terms"

// bce_weight * BCE-with-logits + dice_weight * (1 - Dice), in one pass. logits [N][H][W][C], labels u8 [N][H][W][1].
LossValue bce_dice(const Tensor& logits, const Tensor& labels, const BceDiceOptions& options = {});

OpDescriptor describe_bce_dice();
inline const AddedOps bce_dice_added{describe_bce_dice};

}  // namespace atrous
