// Gradient of a loss that is known by its slopes: how much it changes with each probability, or with the only logit.
//
// Logits z [N][H][W][C] and slopes s [C][N*H*W], of the accumulator's type. From upstream gradient g and `scale`:
//   C > 1   p = softmax(z), dz[k] = g * scale * p[k] * (s[k] - sum of p[c] * s[c])
//   C = 1   dz = g * scale * s
// A pixel whose slopes are all 0 has the gradient 0, whatever its logits are.
#pragma once

#include "base/error.h"
#include "kernels/softmax_loss.h"

namespace atrous::kernels {

struct ClassSlopesBackwardArgs {
    View logits;
    const void* slopes = nullptr;       // [C][N*H*W], accumulator type
    const void* grad_output = nullptr;  // [1], accumulator type: d(objective)/d(loss)
    GradTarget dlogits;
    double scale = 1;
};

// What every implementation requires.
inline void check(const ClassSlopesBackwardArgs& a) {
    require(same_shape_and_type(a.logits, a.dlogits.view), "class_slopes_backward: logits and dlogits do not match");
    require(a.slopes && a.grad_output, "class_slopes_backward: slopes and grad_output are needed");
    require(a.logits.count() > 0 && a.logits.c <= max_classes,
            "class_slopes_backward: 1 to 256 channels are needed, and pixels");
}

namespace reference {
void class_slopes_backward(Queue&, const ClassSlopesBackwardArgs&);
}
namespace cpu {
void class_slopes_backward(Queue&, const ClassSlopesBackwardArgs&);
}
namespace cuda {
void class_slopes_backward(Queue&, const ClassSlopesBackwardArgs&);
}

}  // namespace atrous::kernels
