// Element-wise activations; formulas in kernels/activation.h.
#pragma once

#include "engine/autograd/tape.h"

namespace atrous {

Tensor relu(const Tensor& x, const Tensor& destination = {});  // written into `destination` if that is given
Tensor sigmoid(const Tensor& x);

}  // namespace atrous
