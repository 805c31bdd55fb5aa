// Loss functions of a training: what is minimized, its terms by name, and what of it a micro-batch is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ops/softmax_loss.h"
#include "engine/train/loss_factory.h"

namespace atrous {

// A micro-batch's part of the loss of a larger batch: what cross-entropy is divided by, in the memory of the logits'
// device (absent or 0: what this one counts), and the share of the images, which weighs Dice. `weight` multiplies all
// of it: of an auxiliary head.
struct LossShare {
    const double* normalizer = nullptr;
    double images = 1, weight = 1;
};

inline constexpr double default_aux_weight = 0.5;  // of an auxiliary head's loss, where the net has one

// How a term's values of micro-batches make the step's: they add up, as those do that share a normalizer, or their mean
// is taken, each weighing as many images as it has.
enum class TermSum { parts, images };
struct LossTerm {
    std::string name;  // "cross_entropy"
    TermSum sum = TermSum::images;
};

class LossFunction {
 public:
    virtual ~LossFunction() = default;
    virtual const std::vector<LossTerm>& terms() const = 0;  // at most kernels::max_loss_terms
    // logits [N][H][W][C], labels u8 [N][H][W][1]. LossValue::terms is of the accumulator type, on the logits' device:
    // the loss, every one of terms(), and the number of elements that count.
    virtual LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share = {}) const = 0;
    // What a term of TermSum::parts is divided by where these are the labels. Micro-batches' sum is the normalizer of a
    // joint step.
    virtual double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const = 0;
    virtual int ignore_index() const = 0;  // label that does not count; -1: none

    // LossValue::terms of each image by itself: they do not depend on which images are a batch.
    std::vector<Tensor> by_image(const Tensor& logits, const Tensor& labels) const;
};

// Every channel by itself, labels one-hot. Terms: bce, dice.
LossFactory bce_dice_loss(const BceDiceOptions& options = {});
// Channels are classes that exclude each other (one channel: two classes). Terms: cross_entropy (or focal), and dice (or
// the Tversky index). class_weights: one a class; empty: all 1.
LossFactory class_loss(const SoftmaxLossOptions& options = {}, const std::vector<double>& class_weights = {});
// The first and the others added up; of micro-batches the others are averaged by images. UsageError for more terms than
// a step's log holds.
LossFactory sum_of_losses(std::vector<LossFactory> losses);

}  // namespace atrous
