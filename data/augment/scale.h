// The image is resized by a random factor; the crop that follows cuts or pads it.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/augmentation.h"

namespace atrous::data::augment {

class Scale : public Copied<Scale, Augmentation> {
 public:
    Scale() : Copied("scale", 1, Stage::before_crop) {}

    void describe(Settings& s) override {
        s.bind("scale", range_, "smallest and largest factor of a random resize of the training images");
    }
    void check() const override {
        if (range_.size() == 2 && range_[0] > 0 && range_[0] <= range_[1] && range_[1] <= 16) return;
        std::string given;
        for (const double factor : range_) given += fmt::format(" {}", factor);
        throw UsageError("`scale`" + given + ": expected the smallest and the largest factor, above 0 and up to 16");
    }
    bool active() const override { return range_[0] != 1 || range_[1] != 1; }

    void apply(Example& sample, Random& random) const override {
        const double factor = draw(random);
        resize(sample, scaled(sample.image.h, factor), scaled(sample.image.w, factor));
    }
    bool has_plan() const override { return true; }
    void plan(SamplePlan& sample, Random& random) const override {
        const double factor = draw(random);
        sample.resize(scaled(sample.h(), factor), scaled(sample.w(), factor));
    }

 private:
    double draw(Random& random) const { return random.uniform(range_[0], range_[1]); }
    static int64_t scaled(int64_t size, double factor) {
        return std::max<int64_t>(1, std::llround(double(size) * factor));
    }

    std::vector<double> range_{1, 1};
};

}  // namespace atrous::data::augment
