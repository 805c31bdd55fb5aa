// Max pooling, vectorized over channels. 2x2 windows with stride 2 and no padding have a path of their own.
#include "kernels/pool.h"

#include <cstring>
#include <type_traits>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/register_tile.h"
#include "kernels/cpu/simd.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

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

// Some channels of a pixel in one vector, and what was chosen for each, in elements as wide: g++ does not vectorize loops
// over several widths.
template <class T, int count>
struct Lanes {
    using A = accumulator_t<T>;
    using I = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
    typedef A Values __attribute__((vector_size(count * sizeof(A))));
    typedef I Choices __attribute__((vector_size(count * sizeof(A))));
    typedef uint8_t Bytes __attribute__((vector_size(count)));

    static Values load_values(const T* from) {
        Values v;
        if constexpr (std::is_same_v<T, A>)
            std::memcpy(&v, from, sizeof v);
        else
            for (int i = 0; i < count; ++i) v[i] = load(from[i]);
        return v;
    }
    template <bool accumulate>
    static void put_values(T* to, Values v) {
        if constexpr (accumulate) v += load_values(to);
        if constexpr (std::is_same_v<T, A>)
            std::memcpy(to, &v, sizeof v);
        else
            for (int i = 0; i < count; ++i) to[i] = narrow<T>(v[i]);
    }
    static Choices load_choices(const uint8_t* from) {
#ifdef __AVX2__
        if constexpr (sizeof(Choices) == 32 && sizeof(I) == 4)
            return Choices(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#endif
#ifdef __AVX512F__
        if constexpr (sizeof(Choices) == 64 && sizeof(I) == 4)
            return Choices(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#endif
        Bytes b;
        std::memcpy(&b, from, sizeof b);
        return __builtin_convertvector(b, Choices);  // g++ takes the bytes apart one by one
    }
    static void put_choices(uint8_t* to, Choices c) {
        const Bytes b = __builtin_convertvector(c, Bytes);
        std::memcpy(to, &b, sizeof b);
    }
    static Values where(Choices mask, Values v) { return Values(Choices(v) & mask); }
};

// f(Lanes, first channel) for all channels.
template <class T, class F>
void each_lanes(int64_t channels, F f) {
    constexpr int count = Vector<accumulator_t<T>>::lanes;
    int64_t c = 0;
    for (; c + count <= channels; c += count) f(Lanes<T, count>{}, c);
    for (; c < channels; ++c) f(Lanes<T, 1>{}, c);
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

// The part of the window of an output coordinate that lies inside the image.
struct Window {
    int64_t origin, first, last;
    Window(int64_t out, const PoolGeometry& g, int64_t in)
        : origin(out * g.stride - g.padding),
          first(std::max<int64_t>(0, -origin)),
          last(std::min<int64_t>(g.kernel, in - origin)) {}
};

template <class T, class L>
void pool_window(const MaxPoolForwardArgs& a, L, const T* x, const Window& rows, const Window& columns, T* y,
                 uint8_t* index) {
    typename L::Values best{};
    typename L::Choices chosen{};
    bool started = false;
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t s = columns.first; s < columns.last; ++s) {
            const auto value = L::load_values(x + (r * a.x.w + s) * a.x.pitch);
            const auto tap = typename L::I(r * a.geometry.kernel + s);
            const typename L::Choices better =
                started ? (value > best) | ((value != value) & (best == best)) : typename L::Choices{} == 0;
            best = better ? value : best;
            chosen = better ? typename L::Choices{} + tap : chosen;
            started = true;
        }
    L::template put_values<false>(y, best);
    if (index) L::put_choices(index, chosen);
}

// f(line, first, last) on columns [first, last) of every line: whole lines where those give all threads enough to do.
template <class F>
void parallel_lines(const Queue& q, int64_t lines, int64_t width, int64_t elements, F f) {
    if (lines <= 0 || width <= 0) return;
    const int64_t parts = std::clamp<int64_t>(ceil_div(int64_t(4) * q.threads(), lines), 1, width);
    parallel_each(q, lines * parts, elements, [&](int64_t i) {
        const int64_t line = i / parts, part = i % parts;
        f(line, width * part / parts, width * (part + 1) / parts);
    });
}

template <class T>
void pool(Queue& q, const MaxPoolForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    const PoolGeometry& g = a.geometry;
    parallel_lines(q, y.n * y.h, y.w, y.count() * g.kernel * g.kernel, [&](int64_t line, int64_t first, int64_t last) {
        const Window rows(line % y.h, g, x.h);
        for (int64_t s = first; s < last; ++s) {
            const Window columns(s, g, x.w);
            const int64_t out = line * y.w + s;
            const T* from = pixel<const T>(x, line / y.h, rows.origin, columns.origin);
            T* to = y.as<T>() + out * y.pitch;
            uint8_t* index = a.indices ? a.indices + out * y.c : nullptr;
            each_lanes<T>(y.c, [&](auto lanes, int64_t c) {
                pool_window<T>(a, lanes, from + c, rows, columns, to + c, index ? index + c : nullptr);
            });
        }
    });
}

// --- backward

template <bool accumulate, class T>
void halve_pixel_backward(const T* dy, const uint8_t* index, T* d0, T* d1, T* d2, T* d3, int64_t channels) {
    each_lanes<T>(channels, [&](auto lanes, int64_t c) {
        using L = decltype(lanes);
        const auto g = L::load_values(dy + c);
        const auto chosen = L::load_choices(index + c);
        L::template put_values<accumulate>(d0 + c, L::where(chosen == 0, g));
        L::template put_values<accumulate>(d1 + c, L::where(chosen == 1, g));
        L::template put_values<accumulate>(d2 + c, L::where(chosen == 2, g));
        L::template put_values<accumulate>(d3 + c, L::where(chosen == 3, g));
    });
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

// A window that a pixel of x lies in, and which of its taps the pixel is.
template <class T>
struct Reader {
    const T* dy;
    const uint8_t* index;
    int tap;
};

// The few readers that a pixel has with stride 2 are counted by the compiler: short loops are mispredicted.
template <int known, class T>
void sum_readers(const Reader<T>* readers, int count, T* to, bool accumulate, int64_t channels) {
    each_lanes<T>(channels, [&](auto lanes, int64_t c) {
        using L = decltype(lanes);
        typename L::Values sum{};
        for (int i = 0; i < (known ? known : count); ++i) {
            const typename L::Choices tap = typename L::Choices{} + typename L::I(readers[i].tap);
            sum += L::where(L::load_choices(readers[i].index + c) == tap, L::load_values(readers[i].dy + c));
        }
        accumulate ? L::template put_values<true>(to + c, sum) : L::template put_values<false>(to + c, sum);
    });
}

template <class T>
void sum_all_readers(const Reader<T>* readers, int count, T* to, bool accumulate, int64_t channels) {
    switch (count) {
        case 1:
            return sum_readers<1>(readers, count, to, accumulate, channels);
        case 2:
            return sum_readers<2>(readers, count, to, accumulate, channels);
        case 4:
            return sum_readers<4>(readers, count, to, accumulate, channels);
        default:
            return sum_readers<0>(readers, count, to, accumulate, channels);
    }
}

template <class T>
void pool_backward(Queue& q, const MaxPoolBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    const PoolGeometry& g = a.geometry;
    parallel_lines(q, dx.n * dx.h, dx.w, dx.count() * g.kernel, [&](int64_t line, int64_t first, int64_t last) {
        const int64_t n = line / dx.h, h = line % dx.h;
        const Windows rows(h, g, dy.h);
        Reader<T> readers[256];  // a tap fits a byte
        for (int64_t w = first; w < last; ++w) {
            const Windows columns(w, g, dy.w);
            int count = 0;
            for (int64_t p = rows.first; p < rows.last; ++p)
                for (int64_t s = columns.first; s < columns.last; ++s) {
                    const int64_t out = (n * dy.h + p) * dy.w + s;
                    const int64_t tap = (h + g.padding - p * g.stride) * g.kernel + w + g.padding - s * g.stride;
                    readers[count++] = {dy.as<const T>() + out * dy.pitch, a.indices + out * dy.c, int(tap)};
                }
            sum_all_readers(readers, count, dx.as<T>() + (line * dx.w + w) * dx.pitch, a.dx.accumulate, dx.c);
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
