// Gradients of the loss of one image, by parameter and by feature map.
#pragma once

#include <vector>

#include "engine/nn/segmentation_net.h"
#include "engine/train/loss_factory.h"

namespace atrous::inspection {

struct ParameterGradient {
    const Leaf* leaf = nullptr;  // of the parameter, as Value::leaf
    std::string path;
    double norm = 0, value_norm = 0;  // Euclidean, of the gradient and of the parameter
};

struct StepGradients {
    double loss = 0;
    std::vector<ParameterGradient> parameters = {};
    std::vector<double> maps = {};  // Euclidean norm of the gradient of each entry's output; NaN: none reached it
};

// x [1][H][W][C], labels u8 [1][H][W][1]. The net is in evaluation mode (batch norm by its running statistics, no
// dropout), and its parameters stay as they are.
StepGradients step_gradients(SegmentationNet& net, const Tensor& x, const Tensor& labels, const LossFactory& loss);

}  // namespace atrous::inspection
