// Confusion counts of a prediction against labels: counts[truth * classes + predicted] += 1 for every counted pixel.
// logits [N][H][W][C]: C == 1 predicts class 1 where the logit > thresholds[0] (0 is probability one half), else 0, and a
// label other than 0 is class 1 (classes = 2). C > 1 predicts the first maximum (classes = C); labels >= C other than
// ignore_index are not counted. NaN never wins; where nothing wins, class 0 is predicted.
// Labels in bits (base/label_form.h; at most 7 classes): counts[(class * 2 + truth) * 2 + predicted] += 1 for each class of
// every counted pixel, which is predicted of a class where that logit > its own threshold.
#pragma once

#include "base/class_thresholds.h"
#include "base/error.h"
#include "base/label_form.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct ConfusionArgs {
    View logits;
    const uint8_t* labels = nullptr;  // [N][H][W]
    int64_t* counts = nullptr;        // in and out [classes][classes]; of labels in bits [classes][2][2]
    ClassThresholds thresholds = {};
    int ignore_index = 255;  // -1: none
    LabelForm form = LabelForm::ids;
};

// What every implementation requires.
inline void check(const ConfusionArgs& a) {
    require(a.labels && a.counts, "confusion: labels and counts are needed");
    require(a.form == LabelForm::ids || a.logits.c <= max_bit_classes,
            "confusion: labels in bits are of at most 7 classes");
}

// clang-format off
namespace reference { void confusion(Queue&, const ConfusionArgs&); }
namespace cpu { void confusion(Queue&, const ConfusionArgs&); }
namespace cuda { void confusion(Queue&, const ConfusionArgs&); }
// clang-format on

}  // namespace atrous::kernels
