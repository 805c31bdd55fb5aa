// Quarter turns: by 0, 90, 180 or 270 degrees, transposed or not. What is not square is turned by 0 or 180 alone.
#pragma once

#include "data/augmentation.h"

namespace atrous::data::augment {

class Turn : public Copied<Turn, Augmentation> {
 public:
    Turn() : Copied("turn", 5, Stage::after_crop) {}

    void describe(Settings& s) override { s.bind("turn", on_, "random quarter turns and transpositions"); }
    bool active() const override { return on_; }

    void apply(Example& sample, Random& random) const override {
        const Drawn drawn(random, sample.image.h == sample.image.w);
        both(sample, [&](const Image& image) { return rotate90(image, drawn.turns); });
        if (drawn.swap) both(sample, transpose);
    }
    bool has_plan() const override { return true; }
    void plan(SamplePlan& sample, Random& random) const override {
        const Drawn drawn(random, sample.h() == sample.w());
        sample.rotate90(drawn.turns);
        if (drawn.swap) sample.transpose();
    }

 private:
    struct Drawn {
        int turns;
        bool swap;
        Drawn(Random& random, bool square) : turns(int(random.below(4))), swap(random.chance(0.5)) {
            if (!square) turns = turns / 2 * 2, swap = false;
        }
    };

    bool on_ = false;
};

}  // namespace atrous::data::augment
