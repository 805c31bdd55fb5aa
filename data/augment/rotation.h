// The image is rotated about its centre by an angle in [-r, r], mirrored at the border.
#pragma once

#include "data/augmentation.h"

namespace atrous::data::augment {

class Rotation : public Copied<Rotation, Augmentation> {
 public:
    Rotation() : Copied("rotate", 6, Stage::before_crop) {}

    void describe(Settings& s) override {
        s.bind("rotate", degrees_, "largest angle of a random rotation").min(0).max(180).unit("degrees");
    }
    bool active() const override { return degrees_ > 0; }

    void apply(Example& sample, Random& random) const override {
        const double angle = draw(random);
        sample.image = rotate(sample.image, angle, Sampling::bilinear);
        if (sample.labels.h) sample.labels = rotate(sample.labels, angle, Sampling::nearest);
    }
    bool has_plan() const override { return true; }
    void plan(SamplePlan& sample, Random& random) const override { sample.rotate(draw(random)); }

 private:
    double draw(Random& random) const { return random.uniform(-degrees_, degrees_); }

    double degrees_ = 0;
};

}  // namespace atrous::data::augment
