// Depthwise convolution; formula and layout in kernels/depthwise.h.
#pragma once

#include "engine/ops/conv.h"

namespace atrous {

// x [N][H][W][C], weight [1][R][S][C], bias [C] or undefined -> [N][P][Q][C]: every channel with its own kernel.
// Throws ShapeError where channels differ or the kernel does not fit.
Tensor depthwise_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry);

OpDescriptor describe_depthwise_conv2d();
inline const AddedOps depthwise_added{describe_depthwise_conv2d};

}  // namespace atrous
