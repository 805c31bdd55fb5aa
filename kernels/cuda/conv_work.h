// A convolution's passes as the products of implicit_gemm.h.
#pragma once

#include "kernels/conv.h"
#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

PixelWork conv_forward_work(const ConvForwardArgs&);
PixelWork conv_input_gradient_work(const ConvBackwardInputArgs&);
WeightWork conv_weight_gradient_work(const ConvBackwardWeightArgs&);

}  // namespace atrous::kernels::cuda
