// Normalization of bytes: the levels are rounded once, then each value is a look into a table of a few KiB.
#include "kernels/normalize.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

// `Channels` > 0: as many, each of a kind of its own, whose loop is unrolled; 0: any.
template <int Channels, class T>
void look_up(const T* levels, int64_t kinds, const uint8_t* x, T* y, int64_t pixels, int64_t channels) {
    if constexpr (Channels > 0) {
        for (int64_t i = 0; i < pixels; ++i, x += Channels, y += Channels)
            for (int c = 0; c < Channels; ++c) y[c] = levels[c * byte_levels + x[c]];
    } else {
        for (int64_t i = 0; i < pixels; ++i, x += channels, y += channels)
            for (int64_t c = 0; c < channels; ++c) y[c] = levels[c % kinds * byte_levels + x[c]];
    }
}

template <class T>
void normalize(Queue& q, const NormalizeBytesArgs& a) {
    T levels[max_level_kinds * byte_levels];
    for (int64_t i = 0; i < a.kinds * byte_levels; ++i) levels[i] = narrow<T>(a.levels[i]);
    const int64_t c = a.x.c;
    const auto run = a.kinds != c ? look_up<0, T> : c == 1 ? look_up<1, T> : c == 3 ? look_up<3, T> : look_up<0, T>;
    parallel_ranges(q, a.x.pixels(), a.x.count(), [&](int64_t begin, int64_t end, int) {
        run(levels, a.kinds, a.x.as<const uint8_t>() + begin * c, a.y.as<T>() + begin * c, end - begin, c);
    });
}

}  // namespace

void normalize_bytes(Queue& q, const NormalizeBytesArgs& a) {
    check(a);
    ran("normalize_bytes/omp");
    dispatch_cpu("normalize_bytes", a.y.dtype, [&](auto zero) { normalize<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
