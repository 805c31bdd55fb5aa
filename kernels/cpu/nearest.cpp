// Nearest-neighbour resampling: pixels are copied; the backward pass sums the block of outputs that read a pixel.
#include "kernels/nearest.h"

#include <cstring>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

template <class T>
void forward(Queue& q, const NearestForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    int64_t* column = q.scratch<int64_t>(size_t(y.w));
    for (int64_t s = 0; s < y.w; ++s) column[s] = nearest_source(s, x.w, y.w) * x.pitch;
    parallel_each(q, y.n * y.h, y.count(), [&](int64_t row) {
        const T* from = x.as<const T>() + (row / y.h * x.h + nearest_source(row % y.h, x.h, y.h)) * x.w * x.pitch;
        T* to = y.as<T>() + row * y.w * y.pitch;
        for (int64_t s = 0; s < y.w; ++s, to += y.pitch) std::memcpy(to, from + column[s], size_t(y.c) * sizeof(T));
    });
}

// Outputs [start[i], start[i + 1]) read input i: sources never step back.
struct Readers {
    int64_t* start;
    Readers(Queue& q, int64_t in, int64_t out) : start(q.scratch<int64_t>(size_t(in + 1))) {
        std::fill_n(start, in + 1, int64_t(0));
        for (int64_t p = 0; p < out; ++p) ++start[nearest_source(p, in, out) + 1];
        for (int64_t i = 0; i < in; ++i) start[i + 1] += start[i];
    }
};

template <class T>
void backward(Queue& q, const NearestBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View &dy = a.dy, &dx = a.dx.view;
    const Readers rows(q, dx.h, dy.h), columns(q, dx.w, dy.w);
    A* buffers = q.scratch<A>(size_t(q.threads() * dx.c));
    parallel_ranges(q, dx.n * dx.h, dx.count() + dy.count(), [&](int64_t begin, int64_t end, int thread) {
        A* sum = buffers + thread * dx.c;
        for (int64_t row = begin; row < end; ++row)
            for (int64_t w = 0; w < dx.w; ++w) {
                std::fill_n(sum, dx.c, A(0));
                for (int64_t p = rows.start[row % dx.h]; p < rows.start[row % dx.h + 1]; ++p)
                    for (int64_t s = columns.start[w]; s < columns.start[w + 1]; ++s) {
                        const T* from = dy.as<const T>() + ((row / dx.h * dy.h + p) * dy.w + s) * dy.pitch;
#pragma omp simd
                        for (int64_t c = 0; c < dx.c; ++c) sum[c] += load(from[c]);
                    }
                T* to = dx.as<T>() + (row * dx.w + w) * dx.pitch;
                with_flag(a.dx.accumulate, [&](auto accumulate) {
#pragma omp simd
                    for (int64_t c = 0; c < dx.c; ++c) put<accumulate>(to[c], sum[c]);
                });
            }
    });
}

}  // namespace

void nearest_forward(Queue& q, const NearestForwardArgs& a) {
    check(a);
    ran("nearest_forward/omp");
    dispatch_cpu("nearest_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void nearest_backward(Queue& q, const NearestBackwardArgs& a) {
    check(a);
    ran("nearest_backward/omp");
    dispatch_cpu("nearest_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
