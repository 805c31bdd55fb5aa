// A net that goes on where memory runs out: image by image, then by windows.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/nn/receptive_field.h"
#include "engine/nn/segmentation_net.h"

namespace atrous {

class ThriftyNet : public SegmentationNet {
 public:
    // `halo`: of the net. `say` is told once of each size that did not fit, and what is done instead.
    ThriftyNet(std::unique_ptr<SegmentationNet> net, Halo halo, std::function<void(const std::string&)> say);

    int64_t in_channels() const override { return net_->in_channels(); }
    int64_t out_channels() const override { return net_->out_channels(); }
    int64_t input_multiple() const override { return net_->input_multiple(); }

 protected:
    // What the net gives, where it fits. Else each image by itself; else by windows of half the size, and half of that
    // again: exact ones (segmentation/windows.h), whose logits are those of the whole, where the net's halo leaves them
    // smaller than the image, and else blended ones. MemoryError where no window fits.
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    Tensor images_one_by_one(const Tensor& x);
    Tensor by_windows(const Tensor& x);

    std::unique_ptr<SegmentationNet> net_;
    const Halo halo_;
    const std::function<void(const std::string&)> say_;
    int64_t too_large_ = INT64_MAX;  // pixels at once that did not fit
};

}  // namespace atrous
