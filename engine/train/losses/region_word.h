// What the region losses share: the smoothing, the sums they take, and whether the background is a region.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

class RegionWord : public LossWord {
 public:
    double smooth = 1;
    kernels::DiceGroups groups = kernels::DiceGroups::batch;
    bool background = true;  // class 0 is a region too; of one channel it never is

    Kind kind() const override { return Kind::regions; }
    void describe_options(Settings& s) override {
        using kernels::DiceGroups;
        s.bind("smooth", smooth, "term of numerator and denominator").min(0);
        s.choice<DiceGroups>("groups", groups,
                             {{"batch", DiceGroups::batch}, {"sample", DiceGroups::sample}, {"all", DiceGroups::all}},
                             "sums by class, by class and image, or over all");
        s.bind("background", background, "class 0 counts as a region");
    }

 protected:
    // Of labels in bits there is no background, so that an option which leaves it out has no effect to have.
    bool set_region(BceDiceOptions& o, double alpha, double beta) const {
        o.dice_weight = 1;
        o.smooth = smooth, o.groups = groups;
        o.alpha = alpha, o.beta = beta;
        return background;
    }
    void set_region(SoftmaxLossOptions& o) const {
        o.region_weight = 1;
        o.smooth = smooth, o.groups = groups, o.background = background;
    }
};

}  // namespace atrous
