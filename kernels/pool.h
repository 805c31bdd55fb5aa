// Max pooling over kernel x kernel windows; padding counts as -infinity.
//   y[n,p,q,c] = max over the window of x;  index = r * kernel + s of the first maximum in row-major order (NaN wins).
// P = (H + 2*padding - kernel) / stride + 1, 2*padding <= kernel <= 15. The backward pass gathers, so overlapping
// windows need no atomics. indices is u8 [N][P][Q][C] dense; x and y may be pitched.
#pragma once

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
    Into dx;
    PoolGeometry geometry;
};

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
