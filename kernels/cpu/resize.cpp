// Bilinear resampling, separable: a row is blended from its source rows into a buffer, then resampled along the width.
// Source positions and weights come from tables made once a call. The backward pass gathers with the transposed tables.
#include "kernels/resize.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

struct Source {
    int64_t i0, i1;
    double weight1;
};

Source source_of(int64_t p, int64_t in, int64_t out, bool align_corners) {
    const double position = align_corners ? (out == 1 ? 0.0 : double(p) * double(in - 1) / double(out - 1))
                                          : std::max((double(p) + 0.5) * double(in) / double(out) - 0.5, 0.0);
    const int64_t i0 = std::min(int64_t(position), in - 1);
    return {i0, std::min(i0 + 1, in - 1), position - double(i0)};
}

template <class T>
T* line(const View& v, int64_t n, int64_t h) {
    return v.as<T>() + (n * v.h + h) * v.w * v.pitch;
}

// --- forward

template <class A>
struct Taps {  // of each output coordinate: two source coordinates and the weight of the second
    int64_t *i0, *i1;
    A *weight0, *weight1;

    Taps(Queue& q, int64_t in, int64_t out, bool align_corners)
        : i0(q.scratch<int64_t>(out)),
          i1(q.scratch<int64_t>(out)),
          weight0(q.scratch<A>(out)),
          weight1(q.scratch<A>(out)) {
        for (int64_t p = 0; p < out; ++p) {
            const Source s = source_of(p, in, out, align_corners);
            i0[p] = s.i0, i1[p] = s.i1;
            weight0[p] = A(1 - s.weight1), weight1[p] = A(s.weight1);
        }
    }
};

template <class T, class A>
void blend(const T* a, const T* b, A weight_a, A weight_b, A* to, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) to[i] = weight_a * load(a[i]) + weight_b * load(b[i]);
}

// One output row from the blended source row. One channel: positions are gathered, so that pixels fill the vectors.
template <class T, class A>
void resample_row(const A* row, const Taps<A>& taps, T* y, int64_t pitch, int64_t width, int64_t channels) {
    if (channels == 1 && pitch == 1) {
        const int64_t *i0 = taps.i0, *i1 = taps.i1;
        const A *weight0 = taps.weight0, *weight1 = taps.weight1;
#pragma omp simd
        for (int64_t s = 0; s < width; ++s) y[s] = narrow<T>(weight0[s] * row[i0[s]] + weight1[s] * row[i1[s]]);
        return;
    }
    for (int64_t s = 0; s < width; ++s, y += pitch) {
        const A *a = row + taps.i0[s] * channels, *b = row + taps.i1[s] * channels;
        const A weight0 = taps.weight0[s], weight1 = taps.weight1[s];
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) y[c] = narrow<T>(weight0 * a[c] + weight1 * b[c]);
    }
}

template <class T>
void forward(Queue& q, const BilinearForwardArgs& a) {
    using A = accumulator_t<T>;
    const View &x = a.x, &y = a.y;
    const Taps<A> vertical(q, x.h, y.h, a.align_corners), horizontal(q, x.w, y.w, a.align_corners);
    const int64_t row_elements = x.w * x.c;
    A* buffers = q.scratch<A>(size_t(q.threads()) * row_elements);
    parallel_ranges(q, y.n * y.h, std::max(x.count(), y.count()), [&](int64_t begin, int64_t end, int thread) {
        A* row = buffers + thread * row_elements;
        for (int64_t out = begin; out < end; ++out) {
            const int64_t n = out / y.h, p = out % y.h;
            const T *upper = line<const T>(x, n, vertical.i0[p]), *lower = line<const T>(x, n, vertical.i1[p]);
            const A weight0 = vertical.weight0[p], weight1 = vertical.weight1[p];
            if (x.dense())
                blend(upper, lower, weight0, weight1, row, row_elements);
            else
                for (int64_t w = 0; w < x.w; ++w)
                    blend(upper + w * x.pitch, lower + w * x.pitch, weight0, weight1, row + w * x.c, x.c);
            resample_row(row, horizontal, line<T>(y, n, p), y.pitch, y.w, y.c);
        }
    });
}

// --- backward

// The transpose of Taps: for each source coordinate i the output coordinates that read it, in order, with their
// weights: entries [start[i], start[i + 1]).
template <class A>
struct Readers {
    int64_t *start, *output;
    A* weight;

    Readers(Queue& q, int64_t in, int64_t out, bool align_corners)
        : start(q.scratch<int64_t>(in + 1)), output(q.scratch<int64_t>(2 * out)), weight(q.scratch<A>(2 * out)) {
        int64_t* next = q.scratch<int64_t>(in);
        std::fill_n(start, in + 1, int64_t(0));
        const auto each_read = [&](auto f) {
            for (int64_t p = 0; p < out; ++p) {
                const Source s = source_of(p, in, out, align_corners);
                if (s.i0 == s.i1) {
                    f(s.i0, p, 1.0);
                    continue;
                }
                f(s.i0, p, 1 - s.weight1);
                if (s.weight1 != 0) f(s.i1, p, s.weight1);
            }
        };
        each_read([&](int64_t i, int64_t, double) { ++start[i + 1]; });
        for (int64_t i = 0; i < in; ++i) next[i] = start[i], start[i + 1] += start[i];
        each_read([&](int64_t i, int64_t p, double w) {
            output[next[i]] = p;
            weight[next[i]++] = A(w);
        });
    }
};

template <class T, class A>
void add_scaled(const T* from, A weight, A* to, int64_t count, bool first) {
    if (first) {
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) to[i] = weight * load(from[i]);
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) to[i] += weight * load(from[i]);
    }
}

template <class T, class A>
void add_scaled_pair(const T* a, const T* b, A weight_a, A weight_b, A* to, int64_t count, bool first) {
    if (first) return blend(a, b, weight_a, weight_b, to, count);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) to[i] += weight_a * load(a[i]) + weight_b * load(b[i]);
}

// row[0, count) = weighted sum of the entries' rows; each lies at rows(output coordinate).
template <class A, class F>
void gather(const Readers<A>& readers, int64_t i, F rows, A* row, int64_t count) {
    const int64_t begin = readers.start[i], end = readers.start[i + 1];
    if (begin == end) std::fill_n(row, count, A(0));
    int64_t e = begin;
    for (; e + 2 <= end; e += 2)
        add_scaled_pair(rows(readers.output[e]), rows(readers.output[e + 1]), readers.weight[e], readers.weight[e + 1],
                        row, count, e == begin);
    if (e < end) add_scaled(rows(readers.output[e]), readers.weight[e], row, count, e == begin);
}

template <class T>
void backward(Queue& q, const BilinearBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View &dy = a.dy, &dx = a.dx.view;
    const Readers<A> vertical(q, dx.h, dy.h, a.align_corners), horizontal(q, dx.w, dy.w, a.align_corners);
    const int64_t row_elements = dy.w * dy.c, c = dx.c;
    A* buffers = q.scratch<A>(size_t(q.threads()) * (row_elements + c));
    parallel_ranges(q, dx.n * dx.h, std::max(dx.count(), dy.count()), [&](int64_t begin, int64_t end, int thread) {
        A *row = buffers + thread * (row_elements + c), *sum = row + row_elements;
        for (int64_t in = begin; in < end; ++in) {
            const int64_t n = in / dx.h, h = in % dx.h;
            if (dy.dense())
                gather(
                    vertical, h, [&](int64_t p) { return line<const T>(dy, n, p); }, row, row_elements);
            else
                for (int64_t w = 0; w < dy.w; ++w)
                    gather(
                        vertical, h, [&](int64_t p) { return line<const T>(dy, n, p) + w * dy.pitch; }, row + w * c, c);
            T* to = line<T>(dx, n, h);
            for (int64_t w = 0; w < dx.w; ++w, to += dx.pitch) {
                gather(
                    horizontal, w, [&](int64_t s) { return const_cast<const A*>(row) + s * c; }, sum, c);
                with_flag(a.dx.accumulate, [&](auto accumulate) {
#pragma omp simd
                    for (int64_t i = 0; i < c; ++i) put<accumulate>(to[i], sum[i]);
                });
            }
        }
    });
}

}  // namespace

void bilinear_forward(Queue& q, const BilinearForwardArgs& a) {
    check(a);
    ran("bilinear_forward/omp");
    dispatch_cpu("bilinear_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void bilinear_backward(Queue& q, const BilinearBackwardArgs& a) {
    check(a);
    ran("bilinear_backward/omp");
    dispatch_cpu("bilinear_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
