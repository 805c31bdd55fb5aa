// The boundary loss: probabilities times signed distances to the true contours; formula and source in kernels/boundary.h.
#pragma once

#include "engine/train/losses/loss_word.h"
#include "kernels/boundary.h"

namespace atrous {

// Terms: boundary, of micro-batches averaged by images.
LossFactory boundary_loss(const kernels::BoundaryOptions& options = {});

class Boundary : public Copied<Boundary, LossWord> {
 public:
    bool background = false;

    std::string name() const override { return "boundary"; }
    bool classes_exclude_each_other() const override { return true; }
    void describe_options(Settings& s) override { s.bind("background", background, "class 0 has a contour too"); }
    std::string misfit(int64_t channels) const override {
        return channels == 1 && background
                   ? "background of boundary goes with several logits; of one there is no class 0"
                   : "";
    }
    LossFactory make(int64_t, int ignore_index) const override {
        return boundary_loss({.background = background, .ignore_index = ignore_index});
    }
};

}  // namespace atrous
