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
    // [3] i64: how many labels are out of range, the flat index of the first (-1: none is) and that label
    // (kernels/label_range.h). A loss does not refuse them. Undefined where it did not look.
    Tensor labels_out_of_range = {};
};

LabelForm label_form(const OpArguments& a);    // the attribute "label_form" of a loss or a count
DiceGroups dice_groups(const OpArguments& a);  // the attribute "groups" of a loss
OpResults as_results(const LossValue& value);  // "loss", "terms", and "labels_out_of_range" where it looked

// bce_weight * BCE-with-logits + dice_weight * (1 - Dice), in one pass. logits [N][H][W][C], labels u8 [N][H][W][1].
// look_at_labels false: for labels that somebody looks at already.
LossValue bce_dice(const Tensor& logits, const Tensor& labels, const BceDiceOptions& options = {},
                   bool look_at_labels = true);

OpDescriptor describe_bce_dice();
inline const AddedOps bce_dice_added{describe_bce_dice};

}  // namespace atrous
