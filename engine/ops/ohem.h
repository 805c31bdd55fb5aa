// Cross-entropy of hard pixels alone (online hard example mining); which these are, and the source, in
// kernels/hard_pixels.h. Of one channel it is binary cross-entropy.
#pragma once

#include "engine/ops/loss.h"
#include "kernels/hard_pixels.h"

namespace atrous {

using kernels::HardPixelOptions;

struct OhemOptions : HardPixelOptions {
    double weight = 1;
};

// logits [N][H][W][C], labels u8 [N][H][W][1]. Returns the labels as u8 with every pixel that is not hard ignored
// (kernels::easy_label). No gradient.
Tensor hard_pixels(const Tensor& logits, const Tensor& labels, const HardPixelOptions& options = {});

// weight * the mean of -log q over the hard pixels, q the probability of the label's class; class_weights (one a class,
// of one channel two; accumulator type) weigh that mean, not what is hard. The gradient is that of the mean, with the hard
// pixels as they are. The terms are: loss, the mean, hard pixels.
// look_at_labels as bce_dice has it.
LossValue ohem(const Tensor& logits, const Tensor& labels, const OhemOptions& options = {},
               const Tensor& class_weights = {}, bool look_at_labels = true);

OpDescriptor describe_ohem();
inline const AddedOps ohem_added{describe_ohem};

}  // namespace atrous
