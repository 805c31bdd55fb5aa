// Batch normalization fused with residual addition and ReLU; formulas in kernels/norm.h.
#pragma once

#include "engine/ops/descriptor.h"
#include "engine/ops/moments.h"

namespace atrous {

struct BatchNormOptions {
    double momentum = 0.1, epsilon = 1e-5;
    bool training = true;        // statistics of the batch; false: the running ones
    bool update_running = true;  // the effect beside the value: false when a forward pass is repeated
    bool relu = false;
};

// The per-channel tensors [C]; batches_tracked is i64 [1] and may be undefined.
struct BatchNormParameters {
    Tensor gamma, beta, running_mean, running_var, batches_tracked;
};

// y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual); residual may be undefined. Written into
// `destination` if that is given. `moments` are x's, where the op that made it gave them: x is read once less. A
// ShapeError: training over one value per channel, and moments whose shape, type or device is not that of x's.
Tensor batch_norm(const Tensor& x, const BatchNormParameters& parameters, const BatchNormOptions& options,
                  const Tensor& residual = {}, const Tensor& destination = {}, const OutputMoments& moments = {});

OpDescriptor describe_batch_norm();
inline const AddedOps batch_norm_added{describe_batch_norm};

}  // namespace atrous
