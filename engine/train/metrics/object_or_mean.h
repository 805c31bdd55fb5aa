// What stands for the whole set where a metric has a value for each class.
#pragma once

#include "engine/train/metric.h"

namespace atrous {

// Returns the value of a binary matrix's class 1, or the mean over the classes that have one.
double object_or_mean(const ConfusionMatrix& matrix, double (*of_class)(const ClassCounts&));

}  // namespace atrous
