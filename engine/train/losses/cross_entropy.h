// Cross-entropy of classes that exclude each other; formula in kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class CrossEntropy : public Copied<CrossEntropy, LossWord> {
 public:
    double smoothing = 0;

    std::string name() const override { return "ce"; }
    Kind kind() const override { return Kind::pixels; }
    bool weighs_classes() const override { return true; }
    void describe_options(Settings& s) override {
        s.bind("smoothing", smoothing, "label smoothing: the share that all classes have in common").min(0).max(0.99);
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        o.ce_weight = 1;
        o.smoothing = smoothing;
        return true;
    }
};

}  // namespace atrous
