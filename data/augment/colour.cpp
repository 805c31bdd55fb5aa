// Brightness and contrast: factors in [1 - b, 1 + b], of the image alone.
#include "data/augmentation.h"

namespace atrous::data::augment {

namespace {

class Colour : public Augmentation {
 public:
    Colour() : Augmentation("colour", 7, Stage::after_crop) {}
    std::unique_ptr<Augmentation> clone() const override { return std::make_unique<Colour>(*this); }

    void describe(Settings& s) override {
        s.bind("brightness", brightness_, "largest relative change of brightness").min(0).max(1);
        s.bind("contrast", contrast_, "largest relative change of contrast").min(0).max(1);
    }
    bool active() const override { return brightness_ > 0 || contrast_ > 0; }

    void apply(Example& sample, Random& random) const override {
        const double brightness = random.uniform(1 - brightness_, 1 + brightness_);
        sample.image = adjust(sample.image, brightness, random.uniform(1 - contrast_, 1 + contrast_));
    }

 private:
    double brightness_ = 0, contrast_ = 0;
};

}  // namespace

std::unique_ptr<Augmentation> colour() { return std::make_unique<Colour>(); }

}  // namespace atrous::data::augment
