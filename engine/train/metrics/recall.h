// Recall, which the mean accuracy is made of too.
#pragma once

#include "engine/train/metric.h"

namespace atrous {

// Returns |truth ∩ predicted| / |truth|, which is undefined for a class without a pixel.
double recall_of_class(const ClassCounts& counts);

}  // namespace atrous
