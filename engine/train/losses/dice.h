// 1 - Dice, of the sigmoids beside bce and alone in a binary net, else of the softmax; formulas in kernels/loss.h and
// kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/region_word.h"

namespace atrous {

class Dice : public Copied<Dice, LossWord, RegionWord> {
 public:
    std::string name() const override { return "dice"; }
    bool set_sigmoid(BceDiceOptions& o) const override {
        o.dice_weight = 1;
        o.smooth = smooth, o.groups = groups;
        return background;  // each channel is a region there
    }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>&) const override { return set_region(o, 0.5, 0.5); }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        set_region(o);
        return true;
    }
};

}  // namespace atrous
