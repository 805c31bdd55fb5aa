// 1 - the Tversky index; formula in kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/region_word.h"

namespace atrous {

class Tversky : public Copied<Tversky, LossWord, RegionWord> {
 public:
    double alpha = 0.3, beta = 0.7;

    std::string name() const override { return "tversky"; }
    void describe(Settings& s, const std::string& loss) override {
        const auto used = [&loss](const char* option) {
            return [&loss, option] {
                return leaves_option(loss, "tversky", option) || leaves_option(loss, "focal-tversky", option);
            };
        };
        const std::string users = "`loss` tversky or focal-tversky, without one of its own";
        s.bind("tversky-alpha", alpha, "weight of false positives in tversky")
            .min(0)
            .only_with(users, used("alpha"))
            .when_resumed(Resume::fixed);
        s.bind("tversky-beta", beta, "weight of false negatives in tversky")
            .min(0)
            .only_with(users, used("beta"))
            .when_resumed(Resume::fixed);
    }
    void describe_options(Settings& s) override {
        s.bind("alpha", alpha, "weight of false positives").min(0);
        s.bind("beta", beta, "weight of false negatives").min(0);
        RegionWord::describe_options(s);
    }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>&) const override { return set_region(o, alpha, beta); }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        set_region(o);
        o.alpha = alpha;
        o.beta = beta;
        return true;
    }
};

}  // namespace atrous
