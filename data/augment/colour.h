// Brightness and contrast: factors in [1 - b, 1 + b], of the image alone.
#pragma once

#include "data/augmentation.h"

namespace atrous::data::augment {

class Colour : public Copied<Colour, Augmentation> {
 public:
    Colour() : Copied("colour", 7, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("brightness", brightness_, "largest relative change of brightness").min(0).max(1);
        s.bind("contrast", contrast_, "largest relative change of contrast").min(0).max(1);
    }
    bool active() const override { return brightness_ > 0 || contrast_ > 0; }

    // Bands, such as heights, are no light.
    void apply(Example& sample, Random& random) const override {
        if (sample.image.c != 1 && sample.image.c != 3) return;
        const Drawn drawn = draw(random);
        sample.image = adjust(sample.image, drawn.brightness, drawn.contrast, sample.range);
    }
    bool has_plan() const override { return true; }
    void plan(SamplePlan& sample, Random& random) const override {
        if (sample.channels() != 1 && sample.channels() != 3) return;
        const Drawn drawn = draw(random);
        sample.adjust(drawn.brightness, drawn.contrast);
    }

 private:
    struct Drawn {
        double brightness, contrast;
    };
    Drawn draw(Random& random) const {
        const double brightness = random.uniform(1 - brightness_, 1 + brightness_);
        return {brightness, random.uniform(1 - contrast_, 1 + contrast_)};
    }

    double brightness_ = 0, contrast_ = 0;
};

}  // namespace atrous::data::augment
