// A net that goes on where memory runs out: image by image, then by windows.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "engine/nn/receptive_field.h"
#include "engine/nn/segmentation_net.h"

namespace atrous {

class ThriftyNet : public SegmentationNet {
 public:
    // `halo`: of the net. `say` is told once of each size that did not fit, and of what is done instead. `exact`: what
    // comes out is the net's, or nothing.
    ThriftyNet(std::unique_ptr<SegmentationNet> net, Halo halo, std::function<void(const std::string&)> say,
               bool exact = false);

    int64_t in_channels() const override { return net_->in_channels(); }
    int64_t out_channels() const override { return net_->out_channels(); }
    int64_t input_multiple() const override { return net_->input_multiple(); }

 protected:
    // What the net gives, where it fits. Else each image by itself; else by windows of half the size, a quarter and so on:
    // exact ones (segmentation/windows.h), whose logits are those of the whole, where the net has them and they fit, and
    // else, unless `exact`, blended ones. MemoryError where no window fits.
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    Tensor attempt(SegmentationNet& net, const Tensor& x, int64_t pixels_at_once);
    Tensor images_one_by_one(const Tensor& x);
    Tensor by_windows(const Tensor& x);
    Tensor by_exact_windows(const Tensor& x);    // undefined where there are none, or none that fit
    Tensor by_blended_windows(const Tensor& x);  // likewise
    void say_once(const std::string& what);

    std::unique_ptr<SegmentationNet> net_;
    const Halo halo_;
    const std::function<void(const std::string&)> say_;
    const bool exact_;
    int64_t too_large_ = INT64_MAX;  // pixels at once that did not fit
    std::set<std::string> said_;
};

}  // namespace atrous
