// A configuration holds everything that is needed to build a net again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/settings.h"

namespace atrous {

// Checkpoints carry it. A model takes what concerns it.
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
    std::string encoder = {};          // empty: the model's own
    int64_t output_stride = 0;         // 0: the model's own
    std::vector<int64_t> rates = {};   // of the ASPP; empty: default_rates
    bool pooled = true;                // the ASPP's branch of the mean
    double aux_weight = 0.5;           // of the auxiliary head's loss, where the model has one; 0: no such head
    bool progressive_decoder = false;  // deeplabv3: a decoder of x2 steps
    bool separable = false;            // deeplabv3plus: depthwise separable convolutions
    bool dropout = true;               // false: none, for comparisons
};

// Numbers of a NetConfig lie in these ranges, whoever sets them: an option, or a checkpoint.
namespace net_ranges {
struct Range {
    int64_t low, high;
};
inline constexpr Range in_channels{1, 1024}, out_channels{1, 255}, base_channels{1, 1024}, depth{1, 8}, kernel{1, 15},
    output_stride{0, 32}, rate{1, 4096};
inline constexpr int64_t max_rates = 32;
}  // namespace net_ranges

void describe(Settings& settings, NetConfig& config);  // but for the numbers of channels
std::vector<std::string> model_names();                // models/catalogue.h

}  // namespace atrous
