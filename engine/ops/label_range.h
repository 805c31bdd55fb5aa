// Labels that are no class; the contract is kernels/label_range.h. No gradient.
#pragma once

#include "base/label_form.h"
#include "engine/tensor.h"

namespace atrous {

// Returns i64 [3]: how many of the labels (u8, dense) are neither a class of a net with so many output channels (1: two
// classes) nor ignored, the flat index of the first (-1: none is) and that label. The host waits for nothing.
// In bits: those that have a bit beyond the classes.
Tensor labels_out_of_range(const Tensor& labels, int64_t out_channels, int ignore_index,
                           LabelForm form = LabelForm::ids);

}  // namespace atrous
