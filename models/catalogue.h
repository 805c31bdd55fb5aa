// Nets by the names of their models.
#pragma once

#include <memory>

#include "engine/nn/segmentation_net.h"
#include "models/net_config.h"

namespace atrous {

// UsageError for a setting of the command line that the chosen model does not take. Configuration files are left alone:
// that of a run lists every setting.
void check_applicable(const Settings& settings, const NetConfig& config);

// UsageError for an unknown name, or for an encoder or output stride that the model does not take.
std::unique_ptr<SegmentationNet> make_net(const NetConfig& config);

}  // namespace atrous
