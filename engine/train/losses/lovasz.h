// The Lovász hinge of a binary net and the Lovász softmax of others; formulas and source in kernels/lovasz.h.
#pragma once

#include "engine/train/losses/loss_word.h"
#include "kernels/lovasz.h"

namespace atrous {

// Terms: lovasz, of micro-batches averaged by images.
LossFactory lovasz_loss(const kernels::LovaszOptions& options = {});

class Lovasz : public Copied<Lovasz, LossWord> {
 public:
    kernels::LovaszOptions options;

    std::string name() const override { return "lovasz"; }
    bool classes_exclude_each_other() const override { return true; }
    void describe_options(Settings& s) override {
        using kernels::LovaszClasses;
        s.choice<LovaszClasses>("classes", options.classes,
                                {{"present", LovaszClasses::present}, {"all", LovaszClasses::all}},
                                "classes that are averaged: those that occur, or all");
        s.bind("per-image", options.per_image, "intersection over union of each image by itself, not of the batch");
    }
    LossFactory make(int64_t, int ignore_index) const override {
        kernels::LovaszOptions o = options;
        o.ignore_index = ignore_index;
        return lovasz_loss(o);
    }
};

}  // namespace atrous
