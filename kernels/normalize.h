// What a net sees of the bytes of images: y = levels[k][x], rounded to y's element type, where k = c % kinds for channel
// c. `levels` has 256 floats a kind, kind after kind, computed once on the host; so every device gives the same bits, and
// a value costs no division. x [N][H][W][C] of u8, y of its shape; both dense.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

inline constexpr int64_t byte_levels = 256, max_level_kinds = 16;

struct NormalizeBytesArgs {
    View x;
    const float* levels = nullptr;  // [kinds][256]
    int64_t kinds = 1;
    View y;
};

// What every implementation requires.
inline void check(const NormalizeBytesArgs& a) {
    require(a.x.dtype == DType::u8 && same_shape(a.x, a.y), "normalize_bytes: x is of bytes, and y of its shape");
    require(a.x.dense() && a.y.dense(), "normalize_bytes: x and y are dense");
    require(a.levels && a.kinds >= 1 && a.kinds <= max_level_kinds,
            "normalize_bytes: levels of 1 to 16 kinds are needed");
}

// clang-format off
namespace reference { void normalize_bytes(Queue&, const NormalizeBytesArgs&); }
namespace cpu { void normalize_bytes(Queue&, const NormalizeBytesArgs&); }
namespace cuda { void normalize_bytes(Queue&, const NormalizeBytesArgs&); }
// clang-format on

}  // namespace atrous::kernels
