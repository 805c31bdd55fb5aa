// Element-wise activations; formulas in kernels/activation.h.
#pragma once

#include "engine/ops/descriptor.h"

namespace atrous {

Tensor relu(const Tensor& x, const Tensor& destination = {});  // written into `destination` if that is given
Tensor sigmoid(const Tensor& x);

OpDescriptor describe_relu();
OpDescriptor describe_sigmoid();
inline const AddedOps activations_added{describe_relu, describe_sigmoid};

}  // namespace atrous
