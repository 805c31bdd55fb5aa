// 1 - the soft Jaccard index (intersection over union), which is the Tversky index with both weights 1; formula in
// kernels/softmax_loss.h, whose smoothing is twice that of (intersection + s) / (union + s).
#pragma once

#include "engine/train/losses/region_word.h"

namespace atrous {

class Jaccard : public Copied<Jaccard, LossWord, RegionWord> {
 public:
    std::string name() const override { return "jaccard"; }
    bool set_bits(BceDiceOptions& o, const OneOfEach<LossWord>&) const override {
        const bool set = set_region(o, 1, 1);
        o.smooth = 2 * smooth;
        return set;
    }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&, int64_t) const override {
        set_region(o);
        o.alpha = o.beta = 1;
        o.smooth = 2 * smooth;
        return true;
    }
};

}  // namespace atrous
