// Binary cross-entropy of every channel by itself, labels one-hot; formula in kernels/loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class Bce : public Copied<Bce, LossWord> {
 public:
    std::string name() const override { return "bce"; }
    Kind kind() const override { return Kind::pixels; }
    bool set_sigmoid(BceDiceOptions& o) const override {
        o.bce_weight = 1;
        return true;
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t channels) const override {
        o.ce_weight = 1;
        return channels == 1;  // where the two are the same
    }
};

}  // namespace atrous
