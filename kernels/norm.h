// Batch normalization with fused residual addition and ReLU (Ioffe & Szegedy 2015).
//
//   y = act(gamma * (x - mean) * inv_std + beta + residual),   act = ReLU or identity
//
// Training: mean and (biased) variance of each channel over n, h, w; inv_std = 1 / sqrt(variance + epsilon). Then
//   running_mean += momentum * (mean - running_mean);  running_var += momentum * (variance * m/(m-1) - running_var)
// with m = n*h*w >= 2, as PyTorch does. Evaluation: mean and variance are the running ones.
// x, residual, y and their gradients have one element type and may be pitched; everything per channel is
// accumulator_of(it), statistics are summed in at least that precision and in a fixed order.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/moments.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct BatchNormForwardArgs {
    View x, residual, y;  // residual may be absent
    const void *gamma = nullptr, *beta = nullptr;
    void *mean = nullptr, *inv_std = nullptr;  // [C] out: what the backward pass needs
    void *running_mean = nullptr, *running_var = nullptr;
    int64_t* batches_tracked = nullptr;  // incremented with the running statistics; may be absent
    double momentum = 0.1, epsilon = 1e-5;
    bool training = true;        // false: use the running statistics
    bool update_running = true;  // false: leave them untouched (recomputation)
    bool relu = false;
    ChannelMoments moments = {};  // of x, where they are known: on a GPU a training's statistics are made from them
};

// With g = dy where the activation passed (y > 0 under ReLU), xhat = (x - mean) * inv_std:
//   dgamma = sum g * xhat, dbeta = sum g, dresidual = g,
//   dx = gamma * inv_std * (g - dbeta/m - xhat * dgamma/m)   (batch statistics)
//   dx = gamma * inv_std * g                                 (running statistics)
// The ReLU mask is recomputed from x; with a residual it is taken from y.
struct BatchNormBackwardArgs {
    View dy, x, y;  // y is needed only with ReLU and a residual
    const void *gamma = nullptr, *beta = nullptr, *mean = nullptr, *inv_std = nullptr;
    GradTarget dx, dresidual;
    VectorGradTarget dgamma, dbeta;
    bool training = true;  // mean and inv_std came from this batch
    bool relu = false;
};

// What every implementation requires.
inline void check(const BatchNormForwardArgs& a) {
    require(same_shape_and_type(a.x, a.y) && (!a.residual || same_shape_and_type(a.x, a.residual)),
            "batch norm: x, residual and y do not match");
    require(!a.training || a.x.pixels() >= 2, "batch norm: training needs at least two values per channel");
    require(a.gamma && a.beta && a.mean && a.inv_std, "batch norm: gamma, beta, mean and inv_std are needed");
    require((a.training && !a.update_running) || (a.running_mean && a.running_var),
            "batch norm: the running statistics are needed");
}
inline void check(const BatchNormBackwardArgs& a) {
    require(same_shape_and_type(a.x, a.dy) && (!a.y || same_shape_and_type(a.x, a.y)),
            "batch norm backward: dy, x and y do not match");
    require(!a.dx || same_shape_and_type(a.x, a.dx.view), "batch norm backward: dx does not match x");
    require(!a.dresidual || same_shape_and_type(a.x, a.dresidual.view),
            "batch norm backward: dresidual does not match x");
    require(!a.relu || !a.dresidual || a.y, "batch norm backward: ReLU with a residual needs y");
    require(a.gamma && a.beta && a.mean && a.inv_std, "batch norm backward: gamma, beta, mean and inv_std are needed");
}

// clang-format off
namespace reference {
void batch_norm_forward(Queue&, const BatchNormForwardArgs&);
void batch_norm_backward(Queue&, const BatchNormBackwardArgs&);
}
namespace cpu {
void batch_norm_forward(Queue&, const BatchNormForwardArgs&);
void batch_norm_backward(Queue&, const BatchNormBackwardArgs&);
}
namespace cuda {
void batch_norm_forward(Queue&, const BatchNormForwardArgs&);
void batch_norm_backward(Queue&, const BatchNormBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
