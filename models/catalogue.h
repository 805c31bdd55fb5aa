// Every net by the name a user gives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/segmentation_net.h"

namespace atrous {

// What it takes to build a net again; checkpoints carry it.
struct NetConfig {
    std::string model = "unet";
    int64_t in_channels = 3, out_channels = 1;
    int64_t base_channels = 64;
    int64_t depth = 4;
    bool bilinear = false;
};

std::vector<std::string> model_names();
std::unique_ptr<SegmentationNet> make_net(const NetConfig& config);  // UsageError for an unknown name

}  // namespace atrous
