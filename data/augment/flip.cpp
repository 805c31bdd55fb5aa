// Horizontal and vertical flips, each with a probability.
#include "data/augmentation.h"

namespace atrous::data::augment {

namespace {

class Flip : public Augmentation {
 public:
    Flip(std::string key, uint64_t stream, std::string help, Image (*flip)(const Image&))
        : Augmentation(std::move(key), stream, Stage::after_crop), help_(std::move(help)), flip_(flip) {}
    std::unique_ptr<Augmentation> clone() const override { return std::make_unique<Flip>(*this); }

    void describe(Settings& s) override { s.bind(name, probability_, help_).min(0).max(1); }
    bool active() const override { return probability_ > 0; }
    void apply(Example& sample, Random& random) const override {
        if (random.chance(probability_)) both(sample, flip_);
    }

 private:
    std::string help_;
    Image (*flip_)(const Image&);
    double probability_ = 0;
};

}  // namespace

std::unique_ptr<Augmentation> horizontal_flip() {
    return std::make_unique<Flip>("hflip", 3, "probability of a horizontal flip", flip_horizontal);
}

std::unique_ptr<Augmentation> vertical_flip() {
    return std::make_unique<Flip>("vflip", 4, "probability of a vertical flip", flip_vertical);
}

}  // namespace atrous::data::augment
