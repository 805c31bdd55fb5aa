// Dice, which several metrics are made of.
#pragma once

#include "engine/train/metric.h"

namespace atrous {

// Returns Dice of a binary matrix's class 1, or the mean over classes that occur. It is undefined where nothing was
// there and nothing was claimed.
double dice_of(const ConfusionMatrix& matrix);

}  // namespace atrous
