// Several predictions of one image averaged: of flipped and scaled images, and of several checkpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/settings.h"
#include "engine/nn/segmentation_net.h"

namespace atrous {

struct TestTimeAugmentation {
    std::string flips = "none";       // none, horizontal (and as it is), vertical, flips: all four
    std::vector<double> scales = {};  // of height and width; empty: 1

    bool scaled() const;
    int64_t passes() const;  // of each net
};
void describe(Settings& settings, TestTimeAugmentation& augmentation);

// For each net, scale s and flip f the net sees f(resized(x, s)), where resized is bilinear (engine/ops/resize.h, without
// align_corners) to a multiple of the net's, of at least one; its logits are flipped back and resized to the size of x.
// Their probabilities p, softmax over the classes or sigmoid of each, are averaged with equal weights. What comes out are
// logits again: log p for softmax, log p - log(1 - p) for sigmoid, so that thresholds, blending and losses apply. x with its
// padding is flipped. One pass of one net: its own logits. NaN and Inf of any of them come out as NaN.
class AveragedNet : public SegmentationNet {
 public:
    // At least one, all with as many channels, on one device. `softmax`: the logits' channels exclude each other.
    AveragedNet(std::vector<std::unique_ptr<SegmentationNet>> nets, TestTimeAugmentation augmentation, bool softmax);

    int64_t in_channels() const override { return nets_[0]->in_channels(); }
    int64_t out_channels() const override { return nets_[0]->out_channels(); }
    int64_t input_multiple() const override;  // of all

 protected:
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    std::vector<std::unique_ptr<SegmentationNet>> nets_;
    const TestTimeAugmentation augmentation_;
    const bool softmax_;
};

}  // namespace atrous
