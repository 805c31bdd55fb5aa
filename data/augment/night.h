// Night: a colour image loses most of its light and part of its colour, what is left is bluish, and the sensor's noise
// shows. A gray image loses light and gets noise.
#pragma once

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Night : public Copied<Night, Augmentation> {
 public:
    Night() : Copied("night", 14, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("night", probability_, "probability that an image is darkened to a night's, bluish and noisy")
            .min(0)
            .max(1);
    }
    bool active() const override { return probability_ > 0; }

    void apply(Example& sample, Random& random) const override {
        if ((sample.image.c != 1 && sample.image.c != 3) || !random.chance(probability_)) return;
        const double light = random.uniform(0.15, 0.45), noise = random.uniform(0.01, 0.03);
        if (sample.image.c == 3) {
            ColourMatrix matrix = saturation_and_hue(0.5, 0);
            constexpr std::array<double, 3> bluish{0.8, 0.95, 1.25};
            for (size_t i = 0; i < matrix.size(); ++i) matrix[i] *= light * bluish[i / 3];
            sample.image = mix_colours(sample.image, matrix, sample.range);
        } else {
            sample.image = adjust(sample.image, light, 1, sample.range);
        }
        sample.image = add_noise(sample.image, noise, random, sample.range);
    }

 private:
    double probability_ = 0;
};

}  // namespace atrous::data::augment
