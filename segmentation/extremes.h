// The images that a net predicts best and worst by their own loss, as pictures.
#pragma once

#include <string>
#include <vector>

#include "base/settings.h"
#include "segmentation/messages.h"
#include "segmentation/model_card.h"

namespace atrous {

struct Extremes {
    int64_t best = 0, worst = 0;  // how many images
};
// "best=5,worst=5", or one of them; empty: none. UsageError.
Extremes parse_extremes(const std::string& text);

// Checks before anything is scored that save_extremes can write into the folder, or make it. UsageError where it is no
// folder, IoError where it cannot be written to.
void check_extremes_folder(const std::string& folder);

// The sample of an image, by its place in the set, and its loss.
struct ScoredSample {
    size_t sample;
    double loss;
};
struct RankedSample {
    std::string rank;  // "worst-1": of the highest loss
    size_t sample;
    double loss;
};
// The worst ones first, each part from its extreme inwards. Samples without a finite loss have no rank, and none comes
// twice: where there are too few, the best are fewer.
std::vector<RankedSample> ranked(std::vector<ScoredSample> samples, const Extremes& count);

// Writes FOLDER/worst-1_NAME.png and so on: image, truth, prediction and overlay of each, its loss and its score. Every
// image is predicted again, as result_rows() does. Gives the files. The folder's pictures of an earlier evaluation are
// removed: files with such names that this program wrote. UsageError where a file of another program is in the place,
// unless `overwrite`; IoError.
std::vector<std::string> save_extremes(const std::string& folder, const std::vector<RankedSample>& ranking,
                                       SegmentationNet& net, const ModelCard& card, DType compute,
                                       const std::vector<data::Sample>& samples, const ClassThresholds& thresholds,
                                       const data::LoaderOptions& loader, bool overwrite);

}  // namespace atrous
