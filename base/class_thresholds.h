// Logits: of classes that overlap (labels in bits) a pixel is of class c where logit c is above threshold c; a net of one channel has
// threshold 0 for its foreground. Nets that take the likeliest of several classes have none.
#pragma once

#include "base/label_form.h"

namespace atrous {

struct ClassThresholds {
    double of[max_bit_classes] = {};

    ClassThresholds() = default;
    ClassThresholds(double all) {  // not explicit: one number stands for all
        for (double& threshold : of) threshold = all;
    }
    double operator[](int64_t c) const { return of[c]; }
};

}  // namespace atrous
