// Binary cross-entropy with logits and soft Dice, in one pass over logits and labels.
//
// Logits z [N][H][W][C], labels l u8 [N][H][W][1]; pixels with l == ignore_index do not count. Targets:
//   C == 1: t = (l != 0);   C > 1: t[c] = (l == c), one-hot;   labels in bits: t[c] = bit c of l.   p = sigmoid(z).
//   bce  = sum over counted elements of max(z,0) - z*t + log(1 + exp(-|z|)), that is -t*log p - (1-t)*log(1-p),
//          divided by `count`, the number of counted
//          elements, or by `normalizer` if that is positive (micro-batches that share one count). 0 if nothing counts.
//          What device_normalizer points to (memory of the logits' device) takes normalizer's place where it is given,
//          so that a recorded step reads it anew each time. Label smoothing e takes (1-e)*t + e/2 for t, and a
//          pos_weight w multiplies -t*log p (torch.nn.BCEWithLogitsLoss; the divisor stays). Dice has t itself.
//   dice = mean over groups of (2*sum p*t + smooth) / (sum p + sum t + smooth), over counted elements. Groups: one per
//          class (batch), one per class and image (sample), or a single one (all). A group whose denominator is 0 has
//          dice 1 and no gradient.
//   loss = bce_weight * bce + dice_weight * (1 - dice)
// Of labels in bits (base/label_form.h; at most 7 channels) there are also
//   weights w[c], which multiply the terms of channel c in bce and their count in its divisor;
//   the focal loss: gamma > 0 multiplies -log q by (1 - q)^gamma, q = t ? p : 1 - p (Lin et al. 2017, eq. 5), for bce;
//   the Tversky index (2 TP + smooth) / (2 TP + 2 alpha FP + 2 beta FN + smooth) for Dice, with TP = sum p*t, FP = sum p - TP,
//   FN = sum t - TP, and with exponent e the mean of (1 - index)^e for 1 - dice, as in kernels/softmax_loss.h.
// Sums and the loss are accumulator_of(logits' type), added in a fixed order.
#pragma once

#include "base/error.h"
#include "base/label_form.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

enum class DiceGroups { batch, sample, all };

constexpr int64_t group_count(DiceGroups groups, int64_t images, int64_t classes) {
    return groups == DiceGroups::all ? 1 : groups == DiceGroups::batch ? classes : images * classes;
}
// Groups are numbered as image * classes + class, class, or 0.
constexpr int64_t group_of(DiceGroups groups, int64_t image, int64_t c, int64_t classes) {
    return groups == DiceGroups::all ? 0 : groups == DiceGroups::batch ? c : image * classes + c;
}

struct BceDiceOptions {
    double bce_weight = 1, dice_weight = 1, smooth = 1, normalizer = 0;
    DiceGroups groups = DiceGroups::batch;
    int ignore_index = 255;  // -1: every pixel counts
    const double* device_normalizer = nullptr;
    double smoothing = 0;   // e of bce's labels, from 0 below 1
    double pos_weight = 1;  // of bce's positive labels, above 0
    LabelForm labels = LabelForm::ids;
    // Of labels in bits alone:
    double gamma = 0;  // of the focal loss, at least 0; above 0 without smoothing and pos_weight
    double alpha = 0.5, beta = 0.5, exponent = 1;  // of the Tversky index; the exponent above 0, others at least 0
    double weights[max_bit_classes] = {1, 1, 1, 1, 1, 1, 1};  // of the channels' bce, at least 0

    constexpr double weight(int64_t c) const { return labels == LabelForm::bits ? weights[c] : 1; }
    // The index's denominator, of a group's sums; of Dice p + t + smooth to the bit.
    constexpr double denominator(double p_t, double p, double t) const {
        return 2 * (1 - alpha - beta) * p_t + 2 * alpha * p + 2 * beta * t + smooth;
    }
};

// What bce multiplies -log p by, and -log(1 - p), at labels 0 and 1.
struct BceFactors {
    double positive[2], negative[2];
    bool plain;  // t and 1 - t

    explicit BceFactors(const BceDiceOptions& o) : plain(o.smoothing == 0 && o.pos_weight == 1) {
        for (int t = 0; t < 2; ++t) {
            const double smoothed = (1 - o.smoothing) * t + o.smoothing / 2;
            positive[t] = o.pos_weight * smoothed, negative[t] = 1 - smoothed;
        }
    }
};

// Of BceDiceOptions or SoftmaxLossOptions, where `counted` pixels or weights are the tensor's own.
template <class Options>
constexpr double divisor_of(const Options& o, double counted) {
    const double normalizer = o.device_normalizer ? *o.device_normalizer : o.normalizer;
    return normalizer > 0 ? normalizer : counted;
}

constexpr int bce_dice_sums = 5;  // per image and class: bce, counted elements, sum p*t, sum p, sum t

struct BceDiceForwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    void* sums = nullptr;  // out [N][C][bce_dice_sums], accumulator type
    void* loss = nullptr;  // out [4]: loss, bce, dice, counted elements
    BceDiceOptions options;
};
struct BceDiceBackwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    const void* sums = nullptr;         // from the forward pass
    const void* grad_output = nullptr;  // [1], accumulator type: d(objective)/d(loss)
    GradTarget dlogits;
    BceDiceOptions options;
};

// What every implementation requires.
inline void check(const BceDiceOptions& o, int64_t channels) {
    require(o.smoothing >= 0 && o.smoothing < 1, "bce_dice: smoothing is to be from 0 below 1");
    require(o.pos_weight > 0, "bce_dice: pos_weight is to be above 0");
    const bool bits = o.labels == LabelForm::bits, tversky = o.alpha != 0.5 || o.beta != 0.5 || o.exponent != 1;
    require(!bits || channels <= max_bit_classes, "bce_dice: labels in bits are of at most 7 channels");
    require(bits || (o.gamma == 0 && !tversky), "bce_dice: focal loss and Tversky index are of labels in bits");
    require(o.gamma >= 0 && (o.gamma == 0 || (o.smoothing == 0 && o.pos_weight == 1)),
            "bce_dice: gamma is to be at least 0, and above 0 without smoothing and pos_weight");
    require(o.alpha >= 0 && o.beta >= 0 && o.exponent > 0,
            "bce_dice: alpha and beta are to be at least 0, exponent above 0");
    for (const double w : o.weights) require(w >= 0, "bce_dice: weights are to be at least 0");
}
inline void check(const BceDiceForwardArgs& a) {
    check(a.options, a.logits.c);
    require(a.labels && a.sums && a.loss, "bce_dice: labels, sums and loss are needed");
    require(a.logits.count() > 0, "bce_dice: pixels are needed");
}
inline void check(const BceDiceBackwardArgs& a) {
    check(a.options, a.logits.c);
    require(same_shape_and_type(a.logits, a.dlogits.view), "bce_dice_backward: logits and dlogits do not match");
    require(a.labels && a.sums && a.grad_output, "bce_dice_backward: labels, sums and grad_output are needed");
    require(a.logits.count() > 0, "bce_dice_backward: pixels are needed");
}

// clang-format off
namespace reference {
void bce_dice_forward(Queue&, const BceDiceForwardArgs&);
void bce_dice_backward(Queue&, const BceDiceBackwardArgs&);
}
namespace cpu {
void bce_dice_forward(Queue&, const BceDiceForwardArgs&);
void bce_dice_backward(Queue&, const BceDiceBackwardArgs&);
}
namespace cuda {
void bce_dice_forward(Queue&, const BceDiceForwardArgs&);
void bce_dice_backward(Queue&, const BceDiceBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
