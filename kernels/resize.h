// Bilinear resampling of [N][H][W][C] to [N][P][Q][C], as torch.nn.functional.interpolate with size= given:
//   align_corners: source = p * (H-1)/(P-1), or 0 where P = 1;   otherwise source = max((p + 0.5) * H/P - 0.5, 0)
//   i0 = floor(source), i1 = min(i0 + 1, H-1), weight of i1 = source - i0; the same along w.
// The backward pass gathers: deterministic, no atomics. Views may be pitched.
// Coordinates are computed in double by the reference and f64, and in float (double where it costs nothing) elsewhere.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct BilinearForwardArgs {
    View x, y;
    bool align_corners = false;
};
struct BilinearBackwardArgs {
    View dy;
    GradTarget dx;
    bool align_corners = false;
};

// What every implementation requires.
inline void check_bilinear(const View& x, const View& y) {
    require(x.n == y.n && x.c == y.c && x.dtype == y.dtype, "bilinear: x and y do not match");
    require(x.pixels() > 0 && y.pixels() > 0, "bilinear: a size is 0");
}
inline void check(const BilinearForwardArgs& a) { check_bilinear(a.x, a.y); }
inline void check(const BilinearBackwardArgs& a) { check_bilinear(a.dx.view, a.dy); }

// clang-format off
namespace reference {
void bilinear_forward(Queue&, const BilinearForwardArgs&);
void bilinear_backward(Queue&, const BilinearBackwardArgs&);
}
namespace cpu {
void bilinear_forward(Queue&, const BilinearForwardArgs&);
void bilinear_backward(Queue&, const BilinearBackwardArgs&);
}
namespace cuda {
void bilinear_forward(Queue&, const BilinearForwardArgs&);
void bilinear_backward(Queue&, const BilinearBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
