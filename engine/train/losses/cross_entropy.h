// Cross-entropy of classes that exclude each other; formula in kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class CrossEntropy : public Copied<CrossEntropy, LossWord> {
 public:
    std::string name() const override { return "ce"; }
    Kind kind() const override { return Kind::pixels; }
    bool weighs_classes() const override { return true; }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        o.ce_weight = 1;
        return true;
    }
};

}  // namespace atrous
