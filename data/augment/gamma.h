// Gamma: values, between 0 and 1, to a power whose logarithm is drawn from [-log(1 + g), log(1 + g)].
#pragma once

#include <cmath>

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Gamma : public Copied<Gamma, Augmentation> {
 public:
    Gamma() : Copied("gamma", 9, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("gamma", gamma_, "largest relative change of the exponent of values: from 1/(1+g) to 1+g").min(0).max(4);
    }
    bool active() const override { return gamma_ > 0; }

    // Bands, such as heights, are no light.
    void apply(Example& sample, Random& random) const override {
        if (sample.image.c != 1 && sample.image.c != 3) return;
        const double largest = std::log(1 + gamma_);
        sample.image = apply_gamma(sample.image, std::exp(random.uniform(-largest, largest)), sample.range);
    }

 private:
    double gamma_ = 0;
};

}  // namespace atrous::data::augment
