// Max pooling over kernel x kernel windows; padding counts as -infinity.
//   y[n,p,q,c] = max over the window of x;  index = r * kernel + s of the first maximum in row-major order (NaN wins).
// P = (H + 2*padding - kernel) / stride + 1, 2*padding <= kernel <= 15. The backward pass gathers, so overlapping
// windows need no atomics. indices is u8 [N][P][Q][C] dense; x and y may be pitched.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct PoolGeometry {
    int kernel = 2, stride = 2, padding = 0;
};

struct MaxPoolForwardArgs {
    View x, y;
    uint8_t* indices = nullptr;  // absent: not wanted
    PoolGeometry geometry;
};
struct MaxPoolBackwardArgs {
    View dy;
    const uint8_t* indices = nullptr;
    GradTarget dx;
    PoolGeometry geometry;
};

// What every implementation requires.
inline void check_max_pool(const View& x, const View& y, const PoolGeometry& g) {
    require(g.kernel >= 1 && g.kernel <= 15 && g.stride >= 1 && g.padding >= 0 && 2 * g.padding <= g.kernel,
            "max pool: 1 <= kernel <= 15, stride >= 1 and 0 <= 2 * padding <= kernel are needed");
    require(x.h + 2 * g.padding >= g.kernel && x.w + 2 * g.padding >= g.kernel, "max pool: the window does not fit");
    require(x.n == y.n && x.c == y.c && x.dtype == y.dtype, "max pool: x and y do not match");
    require(y.h == (x.h + 2 * g.padding - g.kernel) / g.stride + 1 &&
                y.w == (x.w + 2 * g.padding - g.kernel) / g.stride + 1,
            "max pool: output size does not match");
}
inline void check(const MaxPoolForwardArgs& a) { check_max_pool(a.x, a.y, a.geometry); }
inline void check(const MaxPoolBackwardArgs& a) {
    check_max_pool(a.dx.view, a.dy, a.geometry);
    require(a.indices, "max pool backward: indices are needed");
}

// clang-format off
namespace reference {
void max_pool_forward(Queue&, const MaxPoolForwardArgs&);
void max_pool_backward(Queue&, const MaxPoolBackwardArgs&);
}
namespace cpu {
void max_pool_forward(Queue&, const MaxPoolForwardArgs&);
void max_pool_backward(Queue&, const MaxPoolBackwardArgs&);
}
namespace cuda {
void max_pool_forward(Queue&, const MaxPoolForwardArgs&);
void max_pool_backward(Queue&, const MaxPoolBackwardArgs&);
}
// clang-format on

}  // namespace atrous::kernels
