// Global average pooling: the mean over the pixels of each image and channel.
//   y[n][0][0][c] = sum over h, w of x[n][h][w][c] / (H * W);  backward: dx[n][h][w][c] = dy[n][0][0][c] / (H * W)
// x [N][H][W][C], y [N][1][1][C], one element type; views may be pitched. Sums are accumulator_of(it) or better, in an
// order fixed by the shape. Back to H x W goes kernels/resize.h from 1x1 (DeepLabV3's image pooling, Chen et al. 2017).
#pragma once

#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct GlobalPoolForwardArgs {
    View x, y;
};
struct GlobalPoolBackwardArgs {
    View dy;
    Into dx;
};

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

// What every implementation requires of the two views.
inline bool pools_globally(const View& x, const View& y) {
    return x.n == y.n && x.c == y.c && x.dtype == y.dtype && y.h == 1 && y.w == 1 && x.h * x.w > 0;
}

}  // namespace atrous::kernels
