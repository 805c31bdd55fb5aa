// Learning rates of a net's parts, relative to the training's: the settings `lr-scale`, `encoder-lr` and `aux-lr`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/nn/segmentation_net.h"
#include "segmentation/experiment.h"

namespace atrous {

// As OptimizerOptions::lr_scales wants them; of parts within each other the one that `lr-scale` names first counts. A part
// is what its parameters' paths begin with, in whole dotted parts ("encoder.layer1"). UsageError for a part that the net
// does not have, a factor that is no number above 0, and more parts than the optimizer takes.
std::vector<std::pair<std::string, double>> part_rates(const Experiment& experiment, SegmentationNet& net);

}  // namespace atrous
