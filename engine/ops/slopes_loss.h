// What losses share whose forward pass keeps how they change with each probability (kernels/class_slopes.h).
#pragma once

#include <functional>
#include <string>

#include "engine/ops/loss.h"

namespace atrous {

// Takes memory for slopes and terms, of the accumulator type, has `forward` fill them, and records the loss, whose
// gradient is that of the slopes times `weight`. ShapeError for labels of another shape and for too many classes.
struct SlopesLoss {
    std::string op;
    double weight = 1;
    int ignore_index = -1;
};
using FillSlopes = std::function<void(void* slopes, void* terms)>;
LossValue slopes_loss(const SlopesLoss& loss, const Tensor& logits, const Tensor& labels, bool look_at_labels,
                      const FillSlopes& forward);

}  // namespace atrous
