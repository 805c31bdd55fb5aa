// The loss functions of a training: the value that is minimized, its terms by name, and the share of a micro-batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ops/softmax_loss.h"
#include "engine/train/loss_factory.h"

namespace atrous {

// A micro-batch's share of a step's loss. normalizer: pointer in the memory of the logits' device to the divisor of
// cross-entropy, shared by the micro-batches (null or 0: this one's own count). images: fraction of the step's images,
// which scales Dice. weight: scales all terms, for an auxiliary head. look_at_labels: LossValue::labels_out_of_range is
// wanted; false where these labels are looked at already.
struct LossShare {
    const double* normalizer = nullptr;
    double images = 1, weight = 1;
    bool look_at_labels = true;
};

inline constexpr double default_aux_weight = 0.5;  // of an auxiliary head's loss, where the net has one

// A term's values of micro-batches become the step's in one of two ways: they add up, as those do that share a
// normalizer, or their mean is taken, each weighing as many images as it has.
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
    // Returns the divisor of a term of TermSum::parts for these labels. The sum over micro-batches is the normalizer of
    // a joint step.
    virtual double normalizer_of(const std::vector<uint8_t>& labels, int64_t channels) const = 0;
    virtual int ignore_index() const = 0;  // label that does not count; -1: none
    virtual LabelForm label_form() const { return LabelForm::ids; }

    // LossValue::terms of each image by itself: they do not depend on which images are a batch. Nobody looks at the
    // labels.
    std::vector<Tensor> by_image(const Tensor& logits, const Tensor& labels) const;
};

// Takes every channel by itself, labels one-hot or in bits. Terms: bce (or focal), and dice (or the Tversky index).
LossFactory bce_dice_loss(const BceDiceOptions& options = {});
// Takes channels as classes that exclude each other (one channel: two classes). Terms: cross_entropy (or focal), and
// dice (or the Tversky index). class_weights: one a class; empty: all 1.
LossFactory class_loss(const SoftmaxLossOptions& options = {}, const std::vector<double>& class_weights = {});
// The weights as the loss of logits of type `compute` takes them; undefined where there are none.
Tensor weights_on_device(const std::vector<double>& class_weights, Device device, DType compute);
// Adds the others to the first, each with its weight (1 where `weights` is empty); of micro-batches the others are
// averaged by images. Throws UsageError for more terms than a step's log holds.
LossFactory sum_of_losses(std::vector<LossFactory> losses, std::vector<double> weights = {});

}  // namespace atrous
