// Max pooling, vectorized over channels. 2x2 windows with stride 2 and no padding have a path of their own.
#include "kernels/pool.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

bool is_halving(const PoolGeometry& g) { return g.kernel == 2 && g.stride == 2 && g.padding == 0; }

// Whether x follows `best` as the maximum: larger, or the first NaN. Of the ways to write it g++ vectorizes this one.
template <class A>
inline bool beats(A x, A best) {
    return x > best || (x != x && best == best);
}

template <class T>
T* pixel(const View& v, int64_t n, int64_t h, int64_t w) {
    return v.as<T>() + ((n * v.h + h) * v.w + w) * v.pitch;
}

// Maxima and choices pass through buffers of one type each: g++ does not vectorize all three widths in one loop.
template <bool with_index, class T>
void halve_pixel(const T* x0, const T* x1, const T* x2, const T* x3, T* y, uint8_t* index, int64_t channels) {
    using A = accumulator_t<T>;
    constexpr int64_t block = 64;
    A maxima[block];
    int32_t chosen[block];
    for (int64_t c0 = 0; c0 < channels; c0 += block) {
        const int64_t count = std::min(block, channels - c0);
#pragma omp simd
        for (int64_t c = 0; c < count; ++c) {
            const A a0 = load(x0[c0 + c]), a1 = load(x1[c0 + c]), a2 = load(x2[c0 + c]), a3 = load(x3[c0 + c]);
            const bool one = beats(a1, a0);
            const A b1 = one ? a1 : a0;
            const bool two = beats(a2, b1);
            const A b2 = two ? a2 : b1;
            const bool three = beats(a3, b2);
            maxima[c] = three ? a3 : b2;
            if constexpr (with_index) chosen[c] = three ? 3 : two ? 2 : one ? 1 : 0;
        }
#pragma omp simd
        for (int64_t c = 0; c < count; ++c) y[c0 + c] = narrow<T>(maxima[c]);
        if constexpr (with_index)
            for (int64_t c = 0; c < count; ++c) index[c0 + c] = uint8_t(chosen[c]);
    }
}

template <class T>
void halve(const Queue& q, const MaxPoolForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    with_flag(a.indices, [&](auto with_index) {
        parallel_each(q, y.n * y.h, x.count(), [&](int64_t line) {
            const int64_t n = line / y.h, p = line % y.h;
            const T *upper = pixel<const T>(x, n, 2 * p, 0), *lower = pixel<const T>(x, n, 2 * p + 1, 0);
            T* to = pixel<T>(y, n, p, 0);
            uint8_t* index = with_index ? a.indices + line * y.w * y.c : nullptr;
            for (int64_t s = 0; s < y.w; ++s, upper += 2 * x.pitch, lower += 2 * x.pitch, to += y.pitch) {
                prefetch_ahead(upper, 2 * x.c);
                prefetch_ahead(lower, 2 * x.c);
                halve_pixel<with_index>(upper, upper + x.pitch, lower, lower + x.pitch, to, index, y.c);
                if (with_index) index += y.c;
            }
        });
    });
}

// Goes on from the maximum of earlier taps; the first tap starts it.
template <class T, class A>
void pool_tap(const T* x, A* best, int32_t* chosen, int32_t tap, bool first, int64_t channels) {
    if (first) {
        for (int64_t c = 0; c < channels; ++c) best[c] = load(x[c]), chosen[c] = tap;
        return;
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
        const A value = load(x[c]);
        const bool better = beats(value, best[c]);
        best[c] = better ? value : best[c];
        chosen[c] = better ? tap : chosen[c];
    }
}

template <class T>
void pool(Queue& q, const MaxPoolForwardArgs& a) {
    using A = accumulator_t<T>;
    const View &x = a.x, &y = a.y;
    const PoolGeometry& g = a.geometry;
    A* maxima = q.scratch<A>(size_t(q.threads()) * y.c);
    int32_t* taps = q.scratch<int32_t>(size_t(q.threads()) * y.c);
    parallel_ranges(q, y.n * y.h * y.w, y.count() * g.kernel * g.kernel, [&](int64_t begin, int64_t end, int thread) {
        A* best = maxima + thread * y.c;
        int32_t* chosen = taps + thread * y.c;
        for (int64_t out = begin; out < end; ++out) {
            const int64_t n = out / (y.h * y.w), h0 = out / y.w % y.h * g.stride - g.padding;
            const int64_t w0 = out % y.w * g.stride - g.padding;
            const int64_t r0 = std::max<int64_t>(0, -h0), r1 = std::min<int64_t>(g.kernel, x.h - h0);
            const int64_t s0 = std::max<int64_t>(0, -w0), s1 = std::min<int64_t>(g.kernel, x.w - w0);
            for (int64_t r = r0; r < r1; ++r)
                for (int64_t s = s0; s < s1; ++s)
                    pool_tap(pixel<const T>(x, n, h0 + r, w0 + s), best, chosen, int32_t(r * g.kernel + s),
                             r == r0 && s == s0, y.c);
            T* to = y.as<T>() + out * y.pitch;
            for (int64_t c = 0; c < y.c; ++c) to[c] = narrow<T>(best[c]);
            if (!a.indices) continue;
            for (int64_t c = 0; c < y.c; ++c) a.indices[out * y.c + c] = uint8_t(chosen[c]);
        }
    });
}

// --- backward

template <bool accumulate, class T>
void halve_pixel_backward(const T* dy, const uint8_t* index, T* d0, T* d1, T* d2, T* d3, int64_t channels) {
    using A = accumulator_t<T>;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
        const A g = load(dy[c]);
        const int chosen = index[c];
        put<accumulate>(d0[c], chosen == 0 ? g : A(0));
        put<accumulate>(d1[c], chosen == 1 ? g : A(0));
        put<accumulate>(d2[c], chosen == 2 ? g : A(0));
        put<accumulate>(d3[c], chosen == 3 ? g : A(0));
    }
}

// Windows do not overlap: each writes its own four pixels. An odd last row or column has no window.
template <class T>
void halve_backward(const Queue& q, const MaxPoolBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    const auto clear = [&](int64_t n, int64_t h, int64_t w) {
        if (!a.dx.accumulate) std::fill_n(pixel<T>(dx, n, h, w), dx.c, narrow<T>(accumulator_t<T>(0)));
    };
    with_flag(a.dx.accumulate, [&](auto accumulate) {
        parallel_each(q, dy.n * dy.h, dx.count(), [&](int64_t line) {
            const int64_t n = line / dy.h, p = line % dy.h;
            T *upper = pixel<T>(dx, n, 2 * p, 0), *lower = pixel<T>(dx, n, 2 * p + 1, 0);
            for (int64_t s = 0; s < dy.w; ++s, upper += 2 * dx.pitch, lower += 2 * dx.pitch) {
                prefetch_ahead<for_writing>(upper, 2 * dx.c);
                prefetch_ahead<for_writing>(lower, 2 * dx.c);
                halve_pixel_backward<accumulate>(pixel<const T>(dy, n, p, s), a.indices + (line * dy.w + s) * dy.c,
                                                 upper, upper + dx.pitch, lower, lower + dx.pitch, dx.c);
            }
            if (dx.w % 2) clear(n, 2 * p, dx.w - 1), clear(n, 2 * p + 1, dx.w - 1);
            if (dx.h % 2 && p == dy.h - 1)
                for (int64_t w = 0; w < dx.w; ++w) clear(n, dx.h - 1, w);
        });
    });
}

// The windows [first, last) that contain coordinate h.
struct Windows {
    int64_t first, last;
    Windows(int64_t h, const PoolGeometry& g, int64_t outputs) {
        const int64_t from = h + g.padding - g.kernel + 1;
        first = from > 0 ? ceil_div(from, g.stride) : 0;
        last = std::min((h + g.padding) / g.stride + 1, outputs);
    }
};

template <class T>
void pool_backward(Queue& q, const MaxPoolBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View &dy = a.dy, &dx = a.dx.view;
    const PoolGeometry& g = a.geometry;
    A* buffers = q.scratch<A>(size_t(q.threads()) * dx.c);
    parallel_ranges(q, dx.pixels(), dx.count() * g.kernel, [&](int64_t begin, int64_t end, int thread) {
        A* sum = buffers + thread * dx.c;
        for (int64_t in = begin; in < end; ++in) {
            const int64_t n = in / (dx.h * dx.w), h = in / dx.w % dx.h, w = in % dx.w;
            const Windows rows(h, g, dy.h), columns(w, g, dy.w);
            std::fill_n(sum, dx.c, A(0));
            for (int64_t p = rows.first; p < rows.last; ++p)
                for (int64_t s = columns.first; s < columns.last; ++s) {
                    const int tap = int((h + g.padding - p * g.stride) * g.kernel + w + g.padding - s * g.stride);
                    const int64_t out = (n * dy.h + p) * dy.w + s;
                    const T* from = dy.as<const T>() + out * dy.pitch;
                    const uint8_t* index = a.indices + out * dy.c;
#pragma omp simd
                    for (int64_t c = 0; c < dx.c; ++c) sum[c] += index[c] == tap ? load(from[c]) : A(0);
                }
            T* to = dx.as<T>() + in * dx.pitch;
            with_flag(a.dx.accumulate, [&](auto accumulate) {
                for (int64_t c = 0; c < dx.c; ++c) put<accumulate>(to[c], sum[c]);
            });
        }
    });
}

}  // namespace

void max_pool_forward(Queue& q, const MaxPoolForwardArgs& a) {
    check(a);
    const bool halving = is_halving(a.geometry);
    ran(halving ? "max_pool_forward/omp_2x2" : "max_pool_forward/omp");
    dispatch_cpu("max_pool_forward", a.x.dtype,
                 [&](auto zero) { halving ? halve<decltype(zero)>(q, a) : pool<decltype(zero)>(q, a); });
}

void max_pool_backward(Queue& q, const MaxPoolBackwardArgs& a) {
    check(a);
    const bool halving = is_halving(a.geometry);
    ran(halving ? "max_pool_backward/omp_2x2" : "max_pool_backward/omp");
    dispatch_cpu("max_pool_backward", a.dy.dtype, [&](auto zero) {
        halving ? halve_backward<decltype(zero)>(q, a) : pool_backward<decltype(zero)>(q, a);
    });
}

}  // namespace atrous::kernels::cpu
