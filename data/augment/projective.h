// Rotation, shift, shear, perspective and elastic deformation about the image's centre. A rotation alone, mirrored at the
// border, is `rotate` of data/transform.h, which a device can do too; all else is one `warp`.
#pragma once

#include <cmath>

#include "data/augmentation.h"
#include "data/warp.h"

namespace atrous::data::augment {

class Projective : public Copied<Projective, Augmentation> {
 public:
    Projective() : Copied("rotate", 6, Stage::before_crop) {}

    void describe(Settings& s) override {
        s.bind("rotate", degrees_, "largest angle of a random rotation").min(0).max(180).unit("degrees");
        s.bind("shift", shift_, "largest shift to each side, relative to the image's").min(0).max(0.5);
        s.bind("shear", shear_, "largest angle of a horizontal shear").min(0).max(45).unit("degrees");
        s.bind("perspective", perspective_, "largest displacement of a corner, relative to the image's sides")
            .min(0)
            .max(0.2);
        s.bind("elastic", elastic_,
               "largest strength of an elastic deformation; at 1 pixels move by up to a quarter of a cell, the most at "
               "which images cannot fold")
            .min(0)
            .max(1);
        s.bind("elastic-cells", cells_,
               "cells along the shorter side, at whose corners an elastic deformation is drawn")
            .min(1)
            .max(64)
            .only_with("`elastic`", [this] { return elastic_ > 0; });
        s.bind(
             "rotate-border", border_,
             "what rotation, shift, shear, perspective and elastic deformation show from beyond the image; mirror: the "
             "image mirrored; ignore: the mean colour, ignored")
            .one_of({"mirror", "ignore"})
            .only_with("`rotate`, `shift`, `shear`, `perspective` or `elastic`", [this] { return active(); });
    }
    bool active() const override { return degrees_ > 0 || !first_beside_rotation().empty(); }

    void apply(Example& sample, Random& random) const override {
        const double angle = draw(random, degrees_);
        if (!has_plan()) return warp(sample, draw_warp(sample, angle, random));
        sample.image = rotate(sample.image, angle, Sampling::bilinear);
        if (sample.labels.h) sample.labels = rotate(sample.labels, angle, Sampling::nearest);
    }
    bool has_plan() const override { return first_beside_rotation().empty() && border_ == "mirror"; }
    std::string host_setting() const override {
        return first_beside_rotation().empty() ? "rotate-border" : first_beside_rotation();
    }
    void plan(SamplePlan& sample, Random& random) const override { sample.rotate(draw(random, degrees_)); }

 private:
    static double draw(Random& random, double largest) { return random.uniform(-largest, largest); }

    std::string first_beside_rotation() const {
        return shift_ > 0         ? "shift"
               : shear_ > 0       ? "shear"
               : perspective_ > 0 ? "perspective"
               : elastic_ > 0     ? "elastic"
                                  : "";
    }
    // All are drawn, whichever are switched on, so that one does not change another. The grid comes last, as its size
    // varies.
    Warp draw_warp(const Example& sample, double angle, Random& random) const {
        const int64_t h = sample.image.h, w = sample.image.w;
        const double right = draw(random, shift_) * double(w), down = draw(random, shift_) * double(h);
        const double shear = draw(random, shear_);
        std::array<double, 8> corners;
        for (double& corner : corners) corner = draw(random, perspective_);
        const double strength = random.uniform(0, elastic_);
        Warp how;
        how.projection = rotation_of(angle) * shear_of(shear) * perspective_of(corners, h, w) * shift_of(right, down);
        how.border = border_ == "ignore" ? Border::ignore : Border::mirror;
        if (elastic_ > 0) how.elastic = ElasticGrid(h, w, cells_, strength, random);
        return how;
    }

    double degrees_ = 0, shift_ = 0, shear_ = 0, perspective_ = 0, elastic_ = 0;
    int64_t cells_ = 5;
    std::string border_ = "mirror";
};

}  // namespace atrous::data::augment
