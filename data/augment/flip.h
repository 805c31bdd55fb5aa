// Horizontal and vertical flips, each with a probability.
#pragma once

#include "data/augmentation.h"

namespace atrous::data::augment {

class Flip : public Copied<Flip, Augmentation> {
 public:
    Flip(std::string key, uint64_t stream, std::string help, Image (*flip)(const Image&), void (SamplePlan::*plan)())
        : Copied(std::move(key), stream, Stage::after_crop), help_(std::move(help)), flip_(flip), plan_(plan) {}

    void describe(Settings& s) override { s.bind(name(), probability_, help_).min(0).max(1); }
    bool active() const override { return probability_ > 0; }
    void apply(Example& sample, Random& random) const override {
        if (random.chance(probability_)) both(sample, flip_);
    }
    bool has_plan() const override { return true; }
    void plan(SamplePlan& sample, Random& random) const override {
        if (random.chance(probability_)) (sample.*plan_)();
    }

 private:
    std::string help_;
    Image (*flip_)(const Image&);
    void (SamplePlan::*plan_)();
    double probability_ = 0;
};

}  // namespace atrous::data::augment
