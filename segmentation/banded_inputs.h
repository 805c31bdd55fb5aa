// Images to predict whose channels are files.
#pragma once

#include "segmentation/model_card.h"
#include "segmentation/prediction.h"

namespace atrous {

// Joins the files that are the bands of one image, by `bands` (data/band_names.h; auto: those of the net's training), in
// each folder that was named. Where some are, files that are no such bands are passed over, and that is said; an image that
// lacks a band is skipped. Where none are, each file stays an image. UsageError where the net takes another number.
void join_bands(Images& images, const std::string& bands, const ModelCard& card, Messages& messages);

}  // namespace atrous
