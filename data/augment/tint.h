// Saturation and hue of colour images.
#pragma once

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Tint : public Copied<Tint, Augmentation> {
 public:
    Tint() : Copied("tint", 8, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("saturation", saturation_, "largest relative change of the saturation of colour images").min(0).max(1);
        s.bind("hue", hue_, "largest turn of the hue of colour images, in full circles").min(0).max(0.5);
    }
    bool active() const override { return saturation_ > 0 || hue_ > 0; }
    std::string host_setting() const override { return saturation_ > 0 ? "saturation" : "hue"; }

    void apply(Example& sample, Random& random) const override {
        if (sample.image.c != 3) return;
        const double saturation = random.uniform(1 - saturation_, 1 + saturation_);
        const double hue = random.uniform(-hue_, hue_);
        sample.image = mix_colours(sample.image, saturation_and_hue(saturation, hue), sample.range);
    }

 private:
    double saturation_ = 0, hue_ = 0;
};

}  // namespace atrous::data::augment
