// The loss of a training: which terms, and what of it a micro-batch is.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "engine/ops/softmax_loss.h"

namespace atrous {

// BceDiceOptions: every channel by itself, labels one-hot. SoftmaxLossOptions: channels are classes that exclude each
// other (one channel: two classes).
struct LossOptions {
    std::variant<BceDiceOptions, SoftmaxLossOptions> terms = BceDiceOptions{};
    std::vector<double> class_weights = {};  // of a softmax loss, one a class; empty: all 1
    int ignore_index() const;
};

// A micro-batch's part of the loss of a larger batch: what cross-entropy is divided by, in the memory of the logits'
// device (absent or 0: what this one counts), and the share of the images, which weighs Dice. `weight` multiplies all
// of it: of an auxiliary head.
struct LossShare {
    const double* normalizer = nullptr;
    double images = 1, weight = 1;
};

inline constexpr double default_aux_weight = 0.5;  // of an auxiliary head's loss, where the net has one

class Loss {
 public:
    // `compute`: element type of the logits that will come.
    Loss(const LossOptions& options, Device device, DType compute);
    LossValue operator()(const Tensor& logits, const Tensor& labels, const LossShare& share = {}) const;

    // Of each image by itself: the values do not depend on which images are a batch. LossValue::terms of each.
    std::vector<Tensor> by_image(const Tensor& logits, const Tensor& labels) const;

    // What cross-entropy of these labels is divided by: counted elements or the sum of counted pixels' class weights.
    // micro-batches' sum is the normalizer of a joint step.
    double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const;

 private:
    LossOptions options_;
    Tensor class_weights_;  // on the device, or undefined
};

}  // namespace atrous
