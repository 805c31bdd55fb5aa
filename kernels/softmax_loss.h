// Softmax cross-entropy, focal loss, soft Dice and Tversky loss over classes, in one pass over logits and labels.
//
// Logits z [N][H][W][C], labels l u8 [N][H][W][1]. K classes: K = C, p = softmax(z); or, with C = 1, K = 2,
// p = (1 - s, s) with s = sigmoid(z), and a label other than 0 is class 1. A pixel counts unless its label is
// ignore_index or K and above. With q = p[l] and w = class_weights (all 1 if absent), over counted pixels:
//   ce     = sum of w[l] * (1 - q)^gamma * -log q, divided by the sum of w[l], or by `normalizer` if that is positive
//            (micro-batches that share one sum; device_normalizer as in kernels/loss.h). 0 if nothing counts. gamma =
//            0: cross-entropy, torch's weighted mean; above: focal loss (Lin et al. 2017, eq. 5). Label smoothing e
//            (Szegedy et al. 2016, section 7) replaces w[l] * -log q by (1 - e) * w[l] * -log q + e / K * sum over
//            classes of w[c] * -log p[c], and leaves the divisor, as torch does.
//   index  = (2 TP + smooth) / (2 TP + 2 alpha FP + 2 beta FN + smooth) of a group of classes and images, where
//            TP = sum p[c] [l = c], FP = sum p[c] - TP, FN = pixels of c - TP (Tversky index, Salehi et al. 2017; their
//            smoothing is half of this one). alpha = beta = 1/2 is soft Dice. 1 where the denominator is 0.
//            Groups: one per class (batch), one per class and image (sample), or a single one (all). Class 0 belongs to
//            none of them unless `background` is set, and never where C = 1.
//   region = mean over groups of (1 - index)^exponent (1: Dice, Tversky; 3/4: focal Tversky, Abraham & Khan 2019). The
//            gradient holds 1 - index at or above 1e-6, where an exponent below 1 has none.
//   loss   = ce_weight * ce + region_weight * region
// Sums and the loss are accumulator_of(logits' type), added in a fixed order; pixels are counted in int64.
#pragma once

#include "base/error.h"
#include "kernels/loss.h"

namespace atrous::kernels {

constexpr int64_t max_classes = 256;

struct SoftmaxLossOptions {
    double ce_weight = 1, region_weight = 0;
    double gamma = 0;  // of the focal loss, at least 0
    double alpha = 0.5, beta = 0.5, smooth = 1,
           exponent = 1;  // of the region loss; exponent above 0, others at least 0
    double normalizer = 0;
    DiceGroups groups = DiceGroups::batch;
    bool background = true;
    int ignore_index = 255;  // -1: every pixel of a class counts
    const double* device_normalizer = nullptr;
    double smoothing = 0;  // e of the labels, from 0 below 1; above 0 only where gamma is 0
};

inline int64_t classes_of(const View& logits) { return logits.c == 1 ? 2 : logits.c; }
inline int64_t first_class(const View& logits, const SoftmaxLossOptions& o) {
    return logits.c > 1 && o.background ? 0 : 1;
}
inline int64_t region_groups(const View& logits, const SoftmaxLossOptions& o) {
    return group_count(o.groups, logits.n, classes_of(logits) - first_class(logits, o));
}
// Sums of an image: ce, then TP and sum of p of each class.
inline int64_t softmax_loss_sums(const View& logits) { return 1 + 2 * classes_of(logits); }

struct SoftmaxLossForwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    const void* class_weights = nullptr;  // [K] accumulator type, or absent
    void* sums = nullptr;                 // out [N][softmax_loss_sums], accumulator type
    int64_t* counts = nullptr;            // out [N][K]: counted pixels of each class
    void* loss = nullptr;                 // out [4]: loss, ce, mean index, counted pixels
    SoftmaxLossOptions options;
};
struct SoftmaxLossBackwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    const void* class_weights = nullptr;
    const void* sums = nullptr;         // from the forward pass
    const int64_t* counts = nullptr;    // from the forward pass
    const void* grad_output = nullptr;  // [1], accumulator type: d(objective)/d(loss)
    GradTarget dlogits;
    SoftmaxLossOptions options;
};

// What every implementation requires.
inline void check(const SoftmaxLossOptions& o) {
    require(o.smoothing >= 0 && o.smoothing < 1, "softmax_loss: smoothing is to be from 0 below 1");
    require(o.smoothing == 0 || o.gamma == 0, "softmax_loss: either gamma or smoothing is to be 0");
}
inline void check(const SoftmaxLossForwardArgs& a) {
    check(a.options);
    require(a.labels && a.sums && a.counts && a.loss, "softmax_loss: labels, sums, counts and loss are needed");
    require(a.logits.count() > 0 && a.logits.c <= max_classes,
            "softmax_loss: 1 to 256 channels are needed, and pixels");
}
inline void check(const SoftmaxLossBackwardArgs& a) {
    check(a.options);
    require(same_shape_and_type(a.logits, a.dlogits.view), "softmax_loss_backward: logits and dlogits do not match");
    require(a.labels && a.sums && a.counts && a.grad_output,
            "softmax_loss_backward: labels, sums, counts and grad_output are needed");
    require(a.logits.count() > 0 && a.logits.c <= max_classes,
            "softmax_loss_backward: 1 to 256 channels are needed, and pixels");
}

// clang-format off
namespace reference {
void softmax_loss_forward(Queue&, const SoftmaxLossForwardArgs&);
void softmax_loss_backward(Queue&, const SoftmaxLossBackwardArgs&);
}
namespace cpu {
void softmax_loss_forward(Queue&, const SoftmaxLossForwardArgs&);
void softmax_loss_backward(Queue&, const SoftmaxLossBackwardArgs&);
}
namespace cuda {
void softmax_loss_forward(Queue&, const SoftmaxLossForwardArgs&);
void softmax_loss_backward(Queue&, const SoftmaxLossBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
