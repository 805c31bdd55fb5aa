// A Gaussian blur, with a probability.
#pragma once

#include <algorithm>

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Blur : public Copied<Blur, Augmentation> {
 public:
    Blur() : Copied("blur", 10, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("blur", probability_, "probability of a Gaussian blur").min(0).max(1);
        s.bind("blur-deviation", largest_, "largest standard deviation of a blur")
            .above(0)
            .max(5)
            .unit("pixels")
            .only_with("`blur`", [this] { return active(); });
    }
    bool active() const override { return probability_ > 0; }

    void apply(Example& sample, Random& random) const override {
        if (!random.chance(probability_)) return;
        constexpr double invisible = 0.1;  // below it a pixel keeps all of its weight
        sample.image = gaussian_blur(sample.image, std::max(random.uniform(0, largest_), invisible));
    }

 private:
    double probability_ = 0, largest_ = 2;
};

}  // namespace atrous::data::augment
