// (1 - the Tversky index) to an exponent, with the weights of tversky where it has none of its own; formula in
// kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/tversky.h"

namespace atrous {

class FocalTversky : public Copied<FocalTversky, LossWord, RegionWord> {
 public:
    static constexpr double tverskys = -1;  // alpha or beta are what tversky's settings say

    double exponent = 0.75, alpha = tverskys, beta = tverskys;

    std::string name() const override { return "focal-tversky"; }
    void describe(Settings& s, const std::string& loss) override {
        s.bind("tversky-exponent", exponent, "exponent of focal-tversky: (1 - index) to this")
            .above(0)
            .only_with("`loss` focal-tversky without an exponent of its own",
                       [&loss] { return leaves_option(loss, "focal-tversky", "exponent"); })
            .when_resumed(Resume::fixed);
    }
    void describe_options(Settings& s) override {
        s.bind("alpha", alpha, "weight of false positives").min(0);
        s.bind("beta", beta, "weight of false negatives").min(0);
        s.bind("exponent", exponent, "exponent of 1 - index").above(0);
        RegionWord::describe_options(s);
    }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>& all) const override {
        const Tversky& tversky = all.of<Tversky>("tversky");
        o.exponent = exponent;
        return set_region(o, alpha == tverskys ? tversky.alpha : alpha, beta == tverskys ? tversky.beta : beta);
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all, int64_t) const override {
        set_region(o);
        const Tversky& tversky = all.of<Tversky>("tversky");
        o.alpha = alpha == tverskys ? tversky.alpha : alpha;
        o.beta = beta == tverskys ? tversky.beta : beta;
        o.exponent = exponent;
        return true;
    }
};

}  // namespace atrous
