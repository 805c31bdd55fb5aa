// A forward pass of a net in evaluation mode, with everything that went through it.
#pragma once

#include <functional>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/nn/segmentation_net.h"

namespace atrous::inspection {

struct NetPass {
    std::vector<Entry> entries;  // in the order in which they ran
    Value image;
    Tensor logits;
};

// Runs the net on x and calls `look` with each entry's number and output, which may be kept.
using LookAtMap = std::function<void(size_t entry, const Tensor& output)>;
NetPass run_pass(SegmentationNet& net, const Tensor& x, const LookAtMap& look);

// Seconds of each entry: the median of three passes. The device is waited for after each entry, so that they add up to
// more than a pass takes on a GPU.
std::vector<double> entry_times(SegmentationNet& net, const Tensor& x);

}  // namespace atrous::inspection
