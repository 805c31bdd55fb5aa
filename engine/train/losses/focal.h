// The focal loss of classes that exclude each other, or of the sigmoids where labels are bits; formulas in
// kernels/softmax_loss.h and kernels/loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class Focal : public Copied<Focal, LossWord> {
 public:
    double gamma = 2;

    std::string name() const override { return "focal"; }
    Kind kind() const override { return Kind::pixels; }
    bool weighs_classes() const override { return true; }
    void describe(Settings& s, const std::string& loss) override {
        s.bind("focal-gamma", gamma, "exponent of focal, which turns it to the hard pixels")
            .min(0)
            .only_with("`loss` focal without gamma of its own",
                       [&loss] { return leaves_option(loss, "focal", "gamma"); })
            .when_resumed(Resume::fixed);
    }
    void describe_options(Settings& s) override { s.bind("gamma", gamma, "exponent of 1 - q").min(0); }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>&) const override {
        o.bce_weight = 1;
        o.gamma = gamma;
        return true;
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        o.ce_weight = 1;
        o.gamma = gamma;
        return true;
    }
};

}  // namespace atrous
