// A loss function before its device is known.
#pragma once

#include <functional>
#include <memory>

#include "base/dtype.h"
#include "engine/device.h"

namespace atrous {

class LossFunction;  // engine/train/loss.h

// `compute` is the element type of the logits that will come.
using LossFactory = std::function<std::unique_ptr<LossFunction>(Device device, DType compute)>;

}  // namespace atrous
