// What a net's logits depend on: their gradients with respect to the image and to a feature map.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/segmentation_net.h"

namespace atrous::inspection {

struct LogitPlace {
    int64_t y = 0, x = 0, channel = 0;
};

// The effective receptive field of one logit (Luo et al., "Understanding the Effective Receptive Field in Deep
// Convolutional Neural Networks", 2016): at each image pixel the sum over the channels of the absolute gradients
// d logit / d value, of the normalized image. x [1][H][W][C]; gives [H][W]. The net is in evaluation mode, so that batch
// norm's statistics do not depend on the image.
std::vector<double> effective_field(SegmentationNet& net, const Tensor& x, const LogitPlace& place);

// The smallest count of pixels that hold `share` of the field's sum.
int64_t pixels_with(const std::vector<double>& field, double share);

// Grad-CAM (Selvaraju et al. 2017) of a segmentation net: the objective is the sum of a channel's logits over the pixels
// that `counts` marks (all where it marks none), times `sign`; the map's channels are weighed by the mean of their
// gradients, added up, and negative sums become 0. `entry`: of the pass, the one whose output is looked at. Gives
// [h][w] of that map.
std::vector<double> class_activation(SegmentationNet& net, const Tensor& x, size_t entry, int64_t channel, double sign,
                                     const std::vector<uint8_t>& counts);

}  // namespace atrous::inspection
