// Inverted dropout (Srivastava et al., "Dropout", JMLR 2014):  y = keep ? x / (1 - p) : 0.
// The mask is a function of (key, step, element) alone: element e of the dense tensor, counted in memory order, is kept
// where word e % 4 of philox4x32({e / 4, step}, key) is at least p * 2^32. So it is the same on every device, for any
// thread count and pixel pitch, and the backward pass is the same function of dy: nothing is saved.
// Views have one shape and element type and may be pitched. 0 <= p <= 1; with p = 1 nothing is kept.
#pragma once

#include <cmath>

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct DropoutArgs {
    View x;
    GradTarget y;
    double p = 0.5;
    uint64_t key = 0;
    int64_t step = 0;
    const int64_t* device_step = nullptr;  // on the kernel's device; added to step, so that a replayed graph draws anew
};

// An element is kept where its random word is at least this; 2^32 keeps none.
inline uint64_t dropout_threshold(double p) { return uint64_t(std::llround(p * 0x1p32)); }
inline double dropout_scale(double p) { return p < 1 ? 1 / (1 - p) : 0; }

// What every implementation requires.
inline void check(const DropoutArgs& a) {
    require(same_shape_and_type(a.x, a.y.view), "dropout: x and y do not match");
    require(a.p >= 0 && a.p <= 1, "dropout: p is not between 0 and 1");
}

// clang-format off
namespace reference { void dropout(Queue&, const DropoutArgs&); }
namespace cpu { void dropout(Queue&, const DropoutArgs&); }
namespace cuda { void dropout(Queue&, const DropoutArgs&); }
// clang-format on

}  // namespace atrous::kernels
