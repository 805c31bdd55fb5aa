// What every net here is to the trainer: images in, logits out.
#pragma once

#include <memory>
#include <string>

#include "engine/nn/module.h"

namespace atrous {

class SegmentationNet : public Module {
 public:
    // x [N][H][W][in_channels], H and W multiples of input_multiple() -> logits [N][H][W][classes].
    virtual Tensor forward(const Tensor& x) = 0;
    virtual int64_t in_channels() const = 0;
    virtual int64_t out_channels() const = 0;  // 1 for a binary net, else the number of classes
    virtual int64_t input_multiple() const = 0;
};

}  // namespace atrous
