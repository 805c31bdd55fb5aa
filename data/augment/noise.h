// Gaussian noise, with a probability.
#pragma once

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Noise : public Copied<Noise, Augmentation> {
 public:
    Noise() : Copied("noise", 11, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("noise", probability_, "probability of Gaussian noise").min(0).max(1);
        s.bind("noise-deviation", largest_, "largest standard deviation of noise, relative to the range of values")
            .above(0)
            .max(1)
            .only_with("`noise`", [this] { return active(); });
    }
    bool active() const override { return probability_ > 0; }

    void apply(Example& sample, Random& random) const override {
        if (!random.chance(probability_)) return;
        const double deviation = random.uniform(0, largest_);
        sample.image = add_noise(sample.image, deviation, random, sample.range);
    }

 private:
    double probability_ = 0, largest_ = 0.05;
};

}  // namespace atrous::data::augment
