// Depthwise convolution, vectorized over channels. Forward and input gradient are one loop: a pixel sums what its taps
// read, blocks of channels at a time. The weight gradient sums a row of outputs in the arithmetic type, rows of a part
// in double, then the parts; parts are fixed by the shape.
#include "kernels/depthwise.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t channel_block = 64, max_parts = 64;

// One tap of one pixel: where it reads, and its weights.
template <class T, class A>
struct Read {
    const T* from;
    const A* weights;
};

template <class T, class A>
void gather(const Read<T, A>* reads, int64_t count, const A* bias, T* to, int64_t channels, bool accumulate) {
    A sum[channel_block];
    for (int64_t first = 0; first < channels; first += channel_block) {
        const int64_t width = std::min(channel_block, channels - first);
        for (int64_t i = 0; i < width; ++i) sum[i] = bias ? bias[first + i] : A(0);
        for (int64_t k = 0; k < count; ++k) {
            const T* from = reads[k].from + first;
            const A* weights = reads[k].weights + first;
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) sum[i] += load(from[i]) * weights[i];
        }
        T* out = to + first;
        with_flag(accumulate, [&](auto adds) {
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) put<adds>(out[i], sum[i]);
        });
    }
}

// Along one axis: the coordinate that tap r of `position` reads among `size`, or -1.
struct ForwardAxis {
    const ConvGeometry& g;
    int64_t source(int64_t p, int64_t r, int64_t size) const {
        const int64_t h = p * g.stride - g.padding + r * g.dilation;
        return h >= 0 && h < size ? h : -1;
    }
};
struct BackwardAxis {
    const ConvGeometry& g;
    int64_t source(int64_t h, int64_t r, int64_t size) const {
        const int64_t p = h + g.padding - r * g.dilation;
        return p >= 0 && p % g.stride == 0 && p / g.stride < size ? p / g.stride : -1;
    }
};

// out = bias + sum over taps of from * w, for every pixel of out.
template <class Axis, class T>
void gather_all(Queue& q, const View& from, const View& w, const void* bias, const GradTarget& into, const Axis& axis) {
    using A = accumulator_t<T>;
    const View& out = into.view;
    const int64_t taps = w.h * w.w;
    A* weights = q.scratch<A>(size_t(w.count()));
    for (int64_t i = 0; i < w.count(); ++i) weights[i] = load(w.as<const T>()[i]);
    auto* lists = q.scratch<Read<T, A>>(size_t(q.threads() * taps));
    parallel_ranges(q, out.n * out.h, out.count() * taps, [&](int64_t begin, int64_t end, int thread) {
        Read<T, A>* reads = lists + thread * taps;
        for (int64_t row = begin; row < end; ++row)
            for (int64_t column = 0; column < out.w; ++column) {
                int64_t count = 0;
                for (int64_t r = 0; r < w.h; ++r) {
                    const int64_t h = axis.source(row % out.h, r, from.h);
                    for (int64_t s = 0; h >= 0 && s < w.w; ++s) {
                        const int64_t pixel = axis.source(column, s, from.w);
                        if (pixel < 0) continue;
                        const int64_t at = (row / out.h * from.h + h) * from.w + pixel;
                        reads[count++] = {from.as<const T>() + at * from.pitch, weights + (r * w.w + s) * w.c};
                    }
                }
                gather(reads, count, static_cast<const A*>(bias), out.as<T>() + (row * out.w + column) * out.pitch,
                       out.c, into.accumulate);
            }
    });
}

// sums[tap][c] += dy * x over one row of outputs; the row after the last tap is the bias's.
template <class T, class A>
void add_row(const DepthwiseBackwardWeightArgs& a, int64_t row, int64_t kernel_h, int64_t kernel_w, A* sums) {
    const View &x = a.x, &dy = a.dy;
    const ForwardAxis axis{a.geometry};
    const int64_t c = dy.c;
    for (int64_t q = 0; q < dy.w; ++q) {
        const T* g = dy.as<const T>() + (row * dy.w + q) * dy.pitch;
        for (int64_t r = 0; r < kernel_h; ++r) {
            const int64_t h = axis.source(row % dy.h, r, x.h);
            for (int64_t s = 0; h >= 0 && s < kernel_w; ++s) {
                const int64_t w = axis.source(q, s, x.w);
                if (w < 0) continue;
                const T* from = x.as<const T>() + ((row / dy.h * x.h + h) * x.w + w) * x.pitch;
                A* sum = sums + (r * kernel_w + s) * c;
#pragma omp simd
                for (int64_t i = 0; i < c; ++i) sum[i] += load(g[i]) * load(from[i]);
            }
        }
        A* sum = sums + kernel_h * kernel_w * c;
#pragma omp simd
        for (int64_t i = 0; i < c; ++i) sum[i] += load(g[i]);
    }
}

template <class T>
void backward_weight(Queue& q, const DepthwiseBackwardWeightArgs& a) {
    using A = accumulator_t<T>;
    const int64_t kernel_h = a.dw.view.h, kernel_w = a.dw.view.w, weights = kernel_h * kernel_w * a.dy.c;
    const int64_t columns = weights + a.dy.c, rows = a.dy.n * a.dy.h, parts = std::min(rows, max_parts);
    double* totals = q.scratch<double>(size_t(parts * columns));
    A* buffers = q.scratch<A>(size_t(q.threads() * columns));
    parallel_ranges(q, parts, a.dy.pixels() * columns, [&](int64_t begin, int64_t end, int thread) {
        A* sums = buffers + thread * columns;
        for (int64_t part = begin; part < end; ++part) {
            double* total = totals + part * columns;
            std::fill_n(total, columns, 0.0);
            for (int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
                std::fill_n(sums, columns, A(0));
                add_row<T>(a, row, kernel_h, kernel_w, sums);
                for (int64_t i = 0; i < columns; ++i) total[i] += double(sums[i]);
            }
        }
    });
    const auto finish = [&](int64_t column, A* to, bool accumulate) {
        double sum = 0;
        for (int64_t part = 0; part < parts; ++part) sum += totals[part * columns + column];
        *to = A(accumulate ? double(*to) + sum : sum);
    };
    for (int64_t i = 0; i < weights; ++i) finish(i, a.dw.view.as<A>() + i, a.dw.accumulate);
    for (int64_t c = 0; a.dbias && c < a.dy.c; ++c) finish(weights + c, a.dbias.as<A>() + c, a.dbias.accumulate);
}

}  // namespace

void depthwise_forward(Queue& q, const DepthwiseForwardArgs& a) {
    check(a);
    ran("depthwise_forward/omp");
    dispatch_cpu("depthwise_forward", a.x.dtype, [&](auto zero) {
        gather_all<ForwardAxis, decltype(zero)>(q, a.x, a.w, a.bias, {a.y, false}, {a.geometry});
    });
}

void depthwise_backward_input(Queue& q, const DepthwiseBackwardInputArgs& a) {
    check(a);
    ran("depthwise_backward_input/omp");
    dispatch_cpu("depthwise_backward_input", a.dy.dtype, [&](auto zero) {
        gather_all<BackwardAxis, decltype(zero)>(q, a.dy, a.w, nullptr, a.dx, {a.geometry});
    });
}

void depthwise_backward_weight(Queue& q, const DepthwiseBackwardWeightArgs& a) {
    check(a);
    ran("depthwise_backward_weight/omp");
    dispatch_cpu("depthwise_backward_weight", a.x.dtype, [&](auto zero) { backward_weight<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
