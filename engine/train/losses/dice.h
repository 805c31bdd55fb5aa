// 1 - Dice, of the sigmoids beside bce and alone in a binary net, else of the softmax; formulas in kernels/loss.h and
// kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class Dice : public Copied<Dice, LossWord> {
 public:
    std::string name() const override { return "dice"; }
    Kind kind() const override { return Kind::regions; }
    bool set_sigmoid(BceDiceOptions& o) const override {
        o.dice_weight = 1;
        return true;
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&) const override {
        o.region_weight = 1;
        return true;
    }
};

}  // namespace atrous
