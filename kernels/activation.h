// Element-wise activations. All views have one shape and element type and may be pitched.
//   relu: y = max(x, 0), NaN stays NaN; backward passes dy where y > 0.
//   sigmoid: y = 1 / (1 + exp(-x)); backward dx = dy * y * (1 - y).
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct ActivationArgs {
    View x, y;
};
struct ActivationBackwardArgs {
    View dy, y;
    GradTarget dx;
};

// What every implementation requires.
inline void check(const ActivationArgs& a) {
    require(same_shape_and_type(a.x, a.y), "activation: x and y do not match");
}
inline void check(const ActivationBackwardArgs& a) {
    require(same_shape_and_type(a.dy, a.y) && same_shape_and_type(a.dy, a.dx.view),
            "activation backward: dy, y and dx do not match");
}

// clang-format off
namespace reference {
void relu(Queue&, const ActivationArgs&);
void relu_backward(Queue&, const ActivationBackwardArgs&);
void sigmoid(Queue&, const ActivationArgs&);
void sigmoid_backward(Queue&, const ActivationBackwardArgs&);
}
namespace cpu {
void relu(Queue&, const ActivationArgs&);
void relu_backward(Queue&, const ActivationBackwardArgs&);
void sigmoid(Queue&, const ActivationArgs&);
void sigmoid_backward(Queue&, const ActivationBackwardArgs&);
}
namespace cuda {
void relu(Queue&, const ActivationArgs&);
void relu_backward(Queue&, const ActivationBackwardArgs&);
void sigmoid(Queue&, const ActivationArgs&);
void sigmoid_backward(Queue&, const ActivationBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
