// Mosaic (Bochkovskiy, Wang, Liao: YOLOv4, 2020): four samples share one image. A random point in its middle half divides
// it into four parts; the first is of the sample, the others are of others, each cut at a random place of its own.
#pragma once

#include <array>

#include "data/augment/parts_of_samples.h"
#include "data/augmentation.h"

namespace atrous::data::augment {

class Mosaic : public Copied<Mosaic, Augmentation> {
 public:
    Mosaic() : Copied("mosaic", 15, Stage::mixing) {}

    void describe(Settings& s) override {
        s.bind("mosaic", probability_, "probability that parts of three other training images fill an image with it")
            .min(0)
            .max(1);
    }
    bool active() const override { return probability_ > 0; }
    void apply(Example&, Random&) const override {}

    void mix(Example& sample, OtherSamples& others, Random& random) const override {
        if (!random.chance(probability_) || others.count() == 0) return;
        const int64_t h = sample.image.h, w = sample.image.w;
        const int64_t y = divide(h, random), x = divide(w, random);
        const std::array<Rectangle, 4> parts{
            Rectangle{0, 0, y, x}, {0, x, y, w - x}, {y, 0, h - y, x}, {y, x, h - y, w - x}};
        const Example whole = sample;
        for (size_t i = 0; i < parts.size(); ++i) {
            if (parts[i].h == 0 || parts[i].w == 0) continue;
            const Example from = i == 0 ? whole : others.draw(random);
            const auto top = int64_t(random.below(uint64_t(h - parts[i].h + 1)));
            const auto left = int64_t(random.below(uint64_t(w - parts[i].w + 1)));
            if (are_alike(sample, from)) copy_part(from, top, left, sample, parts[i]);
        }
    }

 private:
    static int64_t divide(int64_t size, Random& random) {  // from a quarter to three
        return size / 4 + int64_t(random.below(uint64_t(size / 2 + 1)));
    }

    double probability_ = 0;
};

}  // namespace atrous::data::augment
