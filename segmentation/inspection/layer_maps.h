// Feature maps as a page can show them: figures over all values, and small pictures of the strongest channels.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image.h"
#include "engine/tensor.h"
#include "segmentation/picture_size.h"

namespace atrous::inspection {

inline constexpr int64_t histogram_bins = 40;

struct ShownChannel {
    int64_t channel = 0;
    double low = 0, high = 0;  // its smallest and largest value: gray 0 and 255 of its picture
    double strength = 0;       // mean of the absolute values
};

struct LayerMaps {
    double min = 0, max = 0, mean = 0, stddev = 0;
    double zeros = 0;                         // share of the values that are exactly 0
    int64_t dead = 0;                         // channels all of whose values are 0
    int64_t constant = 0;                     // channels of one value other than 0
    std::vector<int64_t> histogram;           // of all values, `histogram_bins` equal ranges from min to max
    std::vector<ShownChannel> channels = {};  // the strongest first
    // Their pictures side by side in gray. A picture has the map's own values where no side of it is longer than
    // asked for, else those of resize_nearest.
    data::Image pictures = {};
};

// Of a map [1][H][W][C] of any floating type, on any device. NaN and Inf count as 0.
LayerMaps maps_of(const Tensor& map, int64_t channels, int64_t longest_side);

// The values of a tensor of any floating type, as doubles in host memory.
std::vector<double> host_values(const Tensor& t);

}  // namespace atrous::inspection
