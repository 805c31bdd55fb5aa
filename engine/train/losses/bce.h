// Binary cross-entropy of every channel by itself, labels one-hot; formula in kernels/loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class Bce : public Copied<Bce, LossWord> {
 public:
    double smoothing = 0, pos_weight = 1;

    std::string name() const override { return "bce"; }
    Kind kind() const override { return Kind::pixels; }
    void describe_options(Settings& s) override {
        s.bind("smoothing", smoothing, "label smoothing: labels become (1 - smoothing) * label + smoothing / 2")
            .min(0)
            .max(0.99);
        s.bind("pos-weight", pos_weight, "weight of positive labels").above(0);
    }
    bool set_sigmoid(BceDiceOptions& o) const override {
        o.bce_weight = 1;
        o.smoothing = smoothing, o.pos_weight = pos_weight;
        return true;
    }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>&) const override { return set_sigmoid(o); }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t channels) const override {
        o.ce_weight = 1;
        o.smoothing = smoothing;
        return channels == 1 && pos_weight == 1;  // where the two are the same
    }
};

}  // namespace atrous
