// Bilinear and nearest resampling; formulas in kernels/resize.h and kernels/nearest.h.
#pragma once

#include "engine/ops/descriptor.h"

namespace atrous {

// x [N][H][W][C] -> [N][height][width][C]; torchvision's models use align_corners = false. Written into `destination`
// if that is given.
Tensor bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners, const Tensor& destination = {});

// Resamples by PyTorch's mode "nearest": source = floor(destination * scale).
Tensor nearest(const Tensor& x, int64_t height, int64_t width, const Tensor& destination = {});

OpDescriptor describe_bilinear();
OpDescriptor describe_nearest();
inline const AddedOps resizes_added{describe_bilinear, describe_nearest};

}  // namespace atrous
