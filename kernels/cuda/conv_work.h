// A convolution's passes as the products of implicit_gemm.h.
#pragma once

#include "kernels/conv.h"
#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

PixelWork conv_forward_work(const ConvForwardArgs&);
PixelWork conv_input_gradient_work(const ConvBackwardInputArgs&);
WeightWork conv_weight_gradient_work(const ConvBackwardWeightArgs&);

inline bool fits_mma(Queue& q, const ConvForwardArgs& a) { return fits_mma(conv_forward_work(a), q.math()); }
inline bool fits_mma(Queue& q, const ConvBackwardInputArgs& a) {
    return fits_mma(conv_input_gradient_work(a), q.math());
}
inline bool fits_mma(Queue& q, const ConvBackwardWeightArgs& a) {
    return fits_mma(conv_weight_gradient_work(a), q.math());
}

}  // namespace atrous::kernels::cuda
