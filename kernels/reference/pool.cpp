// Max pooling by its definition.
#include "kernels/pool.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// The first maximum of the window at (p, q), in row-major order; the first NaN where there is one.
template <class T>
void pool_window(const MaxPoolForwardArgs& a, int64_t n, int64_t p, int64_t q, int64_t c) {
    const PoolGeometry& g = a.geometry;
    T best = 0;
    int best_index = -1;
    for (int r = 0; r < g.kernel; ++r)
        for (int s = 0; s < g.kernel; ++s) {
            const int64_t h = p * g.stride - g.padding + r, w = q * g.stride - g.padding + s;
            if (h < 0 || h >= a.x.h || w < 0 || w >= a.x.w) continue;
            const T x = at<T>(a.x, n, h, w, c);
            if (best_index < 0 || x > best || (std::isnan(x) && !std::isnan(best))) {
                best = x;
                best_index = r * g.kernel + s;
            }
        }
    at<T>(a.y, n, p, q, c) = best;
    if (a.indices) a.indices[((n * a.y.h + p) * a.y.w + q) * a.y.c + c] = uint8_t(best_index);
}

// Gathers from every window that contains (h, w) and chose it.
template <class T>
double gradient(const MaxPoolBackwardArgs& a, int64_t n, int64_t h, int64_t w, int64_t c) {
    const PoolGeometry& g = a.geometry;
    double sum = 0;
    for (int64_t p = 0; p < a.dy.h; ++p) {
        const int64_t r = h + g.padding - p * g.stride;
        if (r < 0 || r >= g.kernel) continue;
        for (int64_t q = 0; q < a.dy.w; ++q) {
            const int64_t s = w + g.padding - q * g.stride;
            if (s < 0 || s >= g.kernel) continue;
            const uint8_t index = a.indices[((n * a.dy.h + p) * a.dy.w + q) * a.dy.c + c];
            if (index == r * g.kernel + s) sum += at<T>(a.dy, n, p, q, c);
        }
    }
    return sum;
}

// f(n, h, w, c) for every element.
template <class F>
void for_each(const View& v, F f) {
    for (int64_t n = 0; n < v.n; ++n)
        for (int64_t h = 0; h < v.h; ++h)
            for (int64_t w = 0; w < v.w; ++w)
                for (int64_t c = 0; c < v.c; ++c) f(n, h, w, c);
}

}  // namespace

void max_pool_forward(Queue&, const MaxPoolForwardArgs& a) {
    check(a);
    ran("max_pool_forward/reference");
    dispatch_exact("max_pool_forward", a.x.dtype, [&](auto zero) {
        for_each(a.y, [&](auto... position) { pool_window<decltype(zero)>(a, position...); });
    });
}

void max_pool_backward(Queue&, const MaxPoolBackwardArgs& a) {
    const View& dx = a.dx.view;
    check(a);
    ran("max_pool_backward/reference");
    dispatch_exact("max_pool_backward", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each(
            dx, [&](auto... position) { store(at<T>(dx, position...), gradient<T>(a, position...), a.dx.accumulate); });
    });
}

}  // namespace atrous::kernels::reference
