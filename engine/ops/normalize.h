// Images as they are stored, in front of a net; the formula is in kernels/normalize.h. No gradient.
#pragma once

#include "engine/tensor.h"

namespace atrous {

// `bytes` u8 [N][H][W][C]; `levels` f32 [kinds * 256], what each byte becomes, kind after kind: channel c has kind
// c % kinds. Returns a tensor of the shape of `bytes` and that element type. ShapeError where levels do not fit.
Tensor normalize_bytes(const Tensor& bytes, const Tensor& levels, DType dtype);

}  // namespace atrous
