// Coarse dropout: rectangles of the image become the mean colour (DeVries and Taylor, Improved regularization of
// convolutional neural networks with cutout, 2017). The mask stays, so that the net guesses what is hidden, or is ignored
// there.
#pragma once

#include <algorithm>
#include <cmath>

#include "data/augmentation.h"
#include "data/mask.h"

namespace atrous::data::augment {

class CoarseDropout : public Copied<CoarseDropout, Augmentation> {
 public:
    CoarseDropout() : Copied("coarse-dropout", 13, Stage::after_crop) {}

    void describe(Settings& s) override {
        const auto on = [this] { return active(); };
        const char* with = "`coarse-dropout`";
        s.bind("coarse-dropout", probability_, "probability that rectangles of an image are hidden").min(0).max(1);
        s.bind("dropout-holes", holes_, "largest number of hidden rectangles").min(1).max(64).only_with(with, on);
        s.bind("dropout-size", size_, "largest side of a hidden rectangle, relative to the image's")
            .above(0)
            .max(1)
            .only_with(with, on);
        s.bind("dropout-mask", mask_, "the mask of what is hidden; keep: as it is; ignore: ignored")
            .one_of({"keep", "ignore"})
            .only_with(with, on);
    }
    bool active() const override { return probability_ > 0; }

    void apply(Example& sample, Random& random) const override {
        if (!random.chance(probability_)) return;
        const auto count = 1 + int64_t(random.below(uint64_t(holes_)));
        for (int64_t i = 0; i < count; ++i) {
            const Hole hole(sample.image, size_, random);
            hide(sample.image, hole, sample.fill);
            if (mask_ == "ignore" && sample.labels.h) hide(sample.labels, hole, {float(ignored_class)});
        }
    }

 private:
    struct Hole {
        int64_t h, w, top, left;
        Hole(const Image& image, double size, Random& random)
            : h(side(image.h, size, random)),
              w(side(image.w, size, random)),
              top(int64_t(random.below(uint64_t(image.h - h + 1)))),
              left(int64_t(random.below(uint64_t(image.w - w + 1)))) {}
        static int64_t side(int64_t of, double size, Random& random) {
            return std::clamp<int64_t>(std::llround(double(of) * random.uniform(0, size)), 1, of);
        }
    };
    static void hide(Image& image, const Hole& hole, const Fill& fill) {
        dispatch_pixels(image, [&](auto zero) {
            using T = decltype(zero);
            for (int64_t y = hole.top; y < hole.top + hole.h; ++y) {
                T* to = image.pixels<T>().data() + (y * image.w + hole.left) * image.c;
                for (int64_t i = 0; i < hole.w * image.c; ++i) to[i] = T(fill[size_t(i % image.c)]);
            }
        });
    }

    double probability_ = 0;
    int64_t holes_ = 8;
    double size_ = 0.15;
    std::string mask_ = "keep";
};

}  // namespace atrous::data::augment
