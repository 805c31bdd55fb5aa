// Cross-entropy of the hard pixels alone (online hard example mining), of one channel binary cross-entropy; which pixels
// these are, and the source, in kernels/hard_pixels.h.
#pragma once

#include "engine/train/losses/loss_word.h"
#include "kernels/hard_pixels.h"

namespace atrous {

// Terms: ohem, of micro-batches, each of which has its own hard pixels, averaged by images. class_weights: one a class;
// empty: all 1.
LossFactory ohem_loss(const kernels::HardPixelOptions& options = {}, const std::vector<double>& class_weights = {});

class Ohem : public Copied<Ohem, LossWord> {
 public:
    kernels::HardPixelOptions options;

    std::string name() const override { return "ohem"; }
    bool weighs_classes() const override { return true; }
    bool classes_exclude_each_other() const override { return true; }
    void describe_options(Settings& s) override {
        s.bind("thresh", options.thresh, "probability of the true class below which a pixel is hard").min(0).max(1);
        s.bind("keep", options.keep, "share of the pixels that is kept at least").above(0).max(1);
    }
    std::string misfit(int64_t channels) const override {
        if (channels <= kernels::easy_label) return "";
        return "ohem takes at most " + std::to_string(kernels::easy_label) + " classes, found " +
               std::to_string(channels);
    }
    LossFactory make_weighted(int64_t, int ignore_index, const std::vector<double>& class_weights) const override {
        kernels::HardPixelOptions o = options;
        o.ignore_index = ignore_index;
        return ohem_loss(o, class_weights);
    }
};

}  // namespace atrous
