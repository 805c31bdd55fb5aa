// An augmentation: the image becomes its negative, with a probability.
#include "data/augmentation.h"
#include "tests/extending/extensions.h"

namespace atrous::extending {

namespace {

class Invert : public Copied<Invert, data::Augmentation> {
 public:
    Invert() : Copied("invert", name_hash("invert"), Stage::after_crop) {}

    void describe(Settings& s) override {
        s.bind("invert", probability_, "probability of a negative").min(0).max(1).common();
    }
    bool active() const override { return probability_ > 0; }

    void apply(data::Example& sample, Random& random) const override {
        if (!random.chance(probability_)) return;
        for (uint8_t& value : sample.image.u8) value = uint8_t(255 - value);
        for (uint16_t& value : sample.image.u16) value = uint16_t(65535 - value);
        const data::ValueRange bounds = sample.range.of(sample.image);
        for (float& value : sample.image.f32) value = bounds.high - value + bounds.low;
    }

 private:
    double probability_ = 0;
};

}  // namespace

void add_invert() { data::add_augmentation(Invert()); }

}  // namespace atrous::extending
