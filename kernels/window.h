// A rectangle of each image, which may reach beyond it: cropping and zero padding are one operation, and each is the
// other's gradient.
//   y[n,i,j,c] (+)= x[n, i + top, j + left, c] where that is a pixel of x, else 0
// x and y have one element type, n and c, may be pitched, and do not overlap; top and left may be negative.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct WindowArgs {
    View x;
    GradTarget y;
    int64_t top = 0, left = 0;
};

// What every implementation requires.
inline void check(const WindowArgs& a) {
    require(a.x.n == a.y.view.n && a.x.c == a.y.view.c && a.x.dtype == a.y.view.dtype, "window: x and y do not match");
}

// clang-format off
namespace reference { void window(Queue&, const WindowArgs&); }
namespace cpu { void window(Queue&, const WindowArgs&); }
namespace cuda { void window(Queue&, const WindowArgs&); }
// clang-format on

}  // namespace atrous::kernels
