// Normalization of bytes by its definition.
#include "kernels/normalize.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

void normalize_bytes(Queue&, const NormalizeBytesArgs& a) {
    check(a);
    ran("normalize_bytes/reference");
    dispatch_exact("normalize_bytes", a.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.x, [&](int64_t pixel, int64_t c) {
            const int64_t level = at<uint8_t>(a.x, pixel, c);
            at<T>(a.y, pixel, c) = T(a.levels[c % a.kinds * byte_levels + level]);
        });
    });
}

}  // namespace atrous::kernels::reference
