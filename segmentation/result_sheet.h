// Images, truth and prediction of some samples of a set, as a contact sheet.
#pragma once

#include <vector>

#include "data/palette.h"
#include "segmentation/model_card.h"

namespace atrous {

// `threshold`: of a binary net's logit. The net's mode is restored.
data::Image result_sheet(SegmentationNet& net, const ModelCard& card, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, double threshold = 0);

}  // namespace atrous
