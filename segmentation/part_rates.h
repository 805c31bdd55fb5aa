// Learning rates of a net's parts, relative to the training's: the settings `lr-scale`, `encoder-lr` and `aux-lr`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/nn/segmentation_net.h"
#include "segmentation/experiment.h"

namespace atrous {

// As OptimizerOptions::lr_scales wants them: parts within others stand before these, so that they count. A part is what
// its parameters' paths begin with, in whole dotted parts ("encoder.layer1"). The net is frozen as it is to train.
// UsageError for a part that the net does not have, that is named twice, or of which nothing trains at its rate; for a
// factor that is no number above 0; and for more parts than the optimizer takes.
std::vector<std::pair<std::string, double>> part_rates(const Experiment& experiment, SegmentationNet& net);

}  // namespace atrous
