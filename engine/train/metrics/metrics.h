// The metrics of this tree, each described in its own file; metrics.cpp lists them.
#pragma once

#include "engine/train/metric.h"

namespace atrous {

Metric describe_dice();
Metric describe_image_dice();
Metric describe_mean_iou();
Metric describe_pixel_accuracy();

// Of a binary matrix's class 1, or the mean over classes that occur. Undefined where nothing was there and nothing was
// claimed.
double dice_of(const ConfusionMatrix& matrix);

}  // namespace atrous
