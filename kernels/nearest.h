// Nearest-neighbour resampling of [N][H][W][C] to [N][P][Q][C], as torch.nn.functional.interpolate(mode="nearest"):
//   y[n,p,q,c] = x[n, h(p), w(q), c],  h(p) = min(floor(float(p) * scale), H-1),  scale = float(H) / float(P)
// and the same along w, every operation rounded to float: torch's choices, which differ from floor(p * H / P) here and
// there. The backward pass gathers, in order of p and q. Views may be pitched.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct NearestForwardArgs {
    View x, y;
};
struct NearestBackwardArgs {
    View dy;
    GradTarget dx;
};

// What every implementation requires.
inline void check_nearest(const View& x, const View& y) {
    require(x.n == y.n && x.c == y.c && x.dtype == y.dtype, "nearest: x and y do not match");
    require(x.pixels() > 0 && y.pixels() > 0, "nearest: a size is 0");
    const int64_t most = int64_t(1) << 24;  // floats count to here
    require(x.h < most && x.w < most && y.h < most && y.w < most, "nearest: a height or width is 2^24 or more");
}
inline void check(const NearestForwardArgs& a) { check_nearest(a.x, a.y); }
inline void check(const NearestBackwardArgs& a) { check_nearest(a.dx.view, a.dy); }

inline int64_t nearest_source(int64_t p, int64_t in, int64_t out) {
    const float scale = float(in) / float(out), position = float(p) * scale;
    return std::min(int64_t(std::floor(position)), in - 1);
}

// clang-format off
namespace reference {
void nearest_forward(Queue&, const NearestForwardArgs&);
void nearest_backward(Queue&, const NearestBackwardArgs&);
}
namespace cpu {
void nearest_forward(Queue&, const NearestForwardArgs&);
void nearest_backward(Queue&, const NearestBackwardArgs&);
}
namespace cuda {
void nearest_forward(Queue&, const NearestForwardArgs&);
void nearest_backward(Queue&, const NearestBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
