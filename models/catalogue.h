// Every net by the name a user gives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/segmentation_net.h"

namespace atrous {

// What it takes to build a net again; checkpoints carry it. A model takes what concerns it.
struct NetConfig {
    std::string model = "unet";
    int64_t in_channels = 3, out_channels = 1;
    // unet without an encoder
    int64_t base_channels = 64;
    int64_t depth = 4;
    bool bilinear = false;
    bool align_corners = true, full_width = false, batch_norm = true;  // see UNetOptions
    int64_t kernel = 3;
    // nets on an encoder
    std::string encoder = {};         // empty: the model's own
    int64_t output_stride = 0;        // 0: the model's own
    std::vector<int64_t> rates = {};  // of the ASPP; empty: usual_rates
    bool pooled = true;               // the ASPP's branch of the mean
    bool auxiliary = true;            // an auxiliary head, where the model has one
    bool gentle = false;              // deeplabv3: a decoder of x2 steps
    bool separable = false;           // deeplabv3plus: depthwise separable convolutions
    bool dropout = true;              // false: none, for comparisons
};

// What the numbers of a NetConfig may be, whoever sets them: an option, or a checkpoint.
namespace net_ranges {
struct Range {
    int64_t low, high;
};
inline constexpr Range in_channels{1, 1024}, out_channels{1, 255}, base_channels{1, 1024}, depth{1, 8}, kernel{1, 15},
    output_stride{0, 32}, rate{1, 4096};
inline constexpr int64_t most_rates = 32;
}  // namespace net_ranges

std::vector<std::string> model_names();
// UsageError for an unknown name, or for an encoder or output stride that the model does not take.
std::unique_ptr<SegmentationNet> make_net(const NetConfig& config);

}  // namespace atrous
