// (1 - the Tversky index) to an exponent, with tversky's weights; formula in kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class FocalTversky : public Copied<FocalTversky, LossWord> {
 public:
    double exponent = 0.75;

    std::string name() const override { return "focal-tversky"; }
    Kind kind() const override { return Kind::regions; }
    void describe(Settings& s, const std::string& loss) override {
        s.bind("tversky-exponent", exponent, "exponent of focal-tversky: (1 - index) to this")
            .above(0)
            .only_with("`loss` focal-tversky", [&loss] { return has_word(loss, "focal-tversky"); })
            .when_resumed(Resume::fixed);
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override {
        all.of("tversky").set_softmax(o, all);
        o.exponent = exponent;
        return true;
    }
};

}  // namespace atrous
