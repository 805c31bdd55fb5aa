// Artefacts of a JPEG, with a probability: images of 8 bits, gray or RGB, are stored as one in memory and read again.
#pragma once

#include "data/augmentation.h"
#include "data/photometric.h"

namespace atrous::data::augment {

class Jpeg : public Copied<Jpeg, Augmentation> {
 public:
    Jpeg() : Copied("jpeg", 12, Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("jpeg", probability_, "probability of the artefacts of a JPEG, in gray or RGB images of 8 bits")
            .min(0)
            .max(1);
        s.bind("jpeg-quality", lowest_, "lowest quality of such a JPEG; it is drawn from this to 95")
            .min(1)
            .max(highest)
            .only_with("`jpeg`", [this] { return active(); });
    }
    bool active() const override { return probability_ > 0; }

    void apply(Example& sample, Random& random) const override {
        const Image& image = sample.image;
        if ((image.c != 1 && image.c != 3) || image.is_16bit() || image.is_float()) return;
        if (!random.chance(probability_)) return;
        sample.image = through_jpeg(image, int(lowest_) + int(random.below(uint64_t(highest - lowest_ + 1))));
    }

 private:
    static constexpr int64_t highest = 95;
    double probability_ = 0;
    int64_t lowest_ = 40;
};

}  // namespace atrous::data::augment
