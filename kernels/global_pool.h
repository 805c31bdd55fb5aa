// Global average pooling: the mean over the pixels of each image and channel.
//   y[n][0][0][c] = sum over h, w of x[n][h][w][c] / (H * W);  backward: dx[n][h][w][c] = dy[n][0][0][c] / (H * W)
// x [N][H][W][C], y [N][1][1][C], one element type; views may be pitched. Sums are accumulator_of(it) or better, in an
// order fixed by the shape. Back to H x W goes kernels/resize.h from 1x1 (DeepLabV3's image pooling, Chen et al. 2017).
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct GlobalPoolForwardArgs {
    View x, y;
};
struct GlobalPoolBackwardArgs {
    View dy;
    GradTarget dx;
};

// What every implementation requires.
inline void check_global_pool(const View& x, const View& y) {
    require(x.n == y.n && x.c == y.c && x.dtype == y.dtype && y.h == 1 && y.w == 1 && x.h * x.w > 0,
            "global pool: y is not [N][1][1][C] of x");
}
inline void check(const GlobalPoolForwardArgs& a) { check_global_pool(a.x, a.y); }
inline void check(const GlobalPoolBackwardArgs& a) { check_global_pool(a.dx.view, a.dy); }

// clang-format off
namespace reference {
void global_pool_forward(Queue&, const GlobalPoolForwardArgs&);
void global_pool_backward(Queue&, const GlobalPoolBackwardArgs&);
}
namespace cpu {
void global_pool_forward(Queue&, const GlobalPoolForwardArgs&);
void global_pool_backward(Queue&, const GlobalPoolBackwardArgs&);
}
namespace cuda {
void global_pool_forward(Queue&, const GlobalPoolForwardArgs&);
void global_pool_backward(Queue&, const GlobalPoolBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
