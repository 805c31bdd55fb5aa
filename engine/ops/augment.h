// Random changes of a batch's images on their device; the formula is in kernels/augment.h. No gradient.
#pragma once

#include "engine/tensor.h"

namespace atrous {

struct AugmentInputs {
    Tensor sources, labels;  // u8 [pixels * C] and [pixels], of samples one after the other
    Tensor samples;          // u8: kernels::AugmentedSample [N]
    Tensor filters;          // i32
    Tensor levels;           // f32 [kinds * 256]
};

struct AugmentedImages {
    Tensor images, labels;  // labels: u8 [N][H][W][1], 255 is ignored
};

// Returns images of that shape and element type. ShapeError where the inputs do not fit it.
AugmentedImages augment(const AugmentInputs& inputs, const Shape& shape, DType dtype);

}  // namespace atrous
