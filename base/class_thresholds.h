// The logits above which a pixel is of a class: of each class by itself where classes overlap (labels in bits), and the first
// of them that of a net of one channel.
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
