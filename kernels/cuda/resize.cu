// Bilinear resampling. Grid: x over the groups of channels of one image row, y over runs of neighbouring rows
// (gpu/pixels.h, Rows); a thread owns one group of one column of a run, of the output in the forward pass and of the
// input in the backward pass, and marches down. Horizontal sums of a source row are made once and serve all rows of the
// run that need it. No shared memory. The gradient of a single pixel is the sum of all, by the kernels of global pooling.
//
// Coordinates are exact fractions: source = (step * p + offset) / denominator, in integers. So the outputs that reach
// an input are known exactly, and weights are right to the last digit.
#include "kernels/resize.h"

#include <numeric>

#include "base/dispatch.h"
#include "kernels/cuda/pixel_sums.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

struct Source {
    int i0, i1;
    float weight1;
};
struct Range {
    int begin, end;
};

// One axis: `in` coordinates of the small or large input, `out` of the output.
struct Axis {
    int in = 1, out = 1, step = 0, offset = 0, denominator = 1;
    float inverse = 1;
    Divider by_denominator, by_step;

    __device__ __forceinline__ Source source_of(int p) const {
        const int position = max(step * p + offset, 0);
        const int i0 = min(by_denominator.divide(position), in - 1);
        return {i0, min(i0 + 1, in - 1), float(position - i0 * denominator) * inverse};
    }
    // The outputs with a weight on input i: those whose source lies strictly between i - 1 and i + 1.
    __device__ __forceinline__ Range reached_by(int i) const {
        if (step == 0) return {0, i == 0 ? out : 0};
        const int below = (i - 1) * denominator - offset, above = (i + 1) * denominator - offset;
        return {i == 0 || below < 0 ? 0 : by_step.divide(below) + 1,
                i == in - 1 ? out : min(out, by_step.divide(above + step - 1))};
    }
};

template <class T>
struct ForwardArgs {
    const T* x;
    T* y;
    int64_t x_pitch, y_pitch;
    int run;  // rows of a run
    Axis vertical, horizontal;
    Rows rows;
};

template <int W>
__device__ __forceinline__ Floats<W> blend(const Floats<W>& a, const Floats<W>& b, float weight) {
    Floats<W> sum;
#pragma unroll
    for (int i = 0; i < W; ++i) sum.v[i] = fmaf(weight, b.v[i], (1 - weight) * a.v[i]);
    return sum;
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads) bilinear_forward_kernel(ForwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int run, int q, int group) {
        const Source w = a.horizontal.source_of(q);
        const T* const image = a.x + int64_t(n) * a.vertical.in * a.horizontal.in * a.x_pitch + group * W;
        const auto row = [&](int h) {
            const T* const x = image + int64_t(h) * a.horizontal.in * a.x_pitch;
            return blend(load_floats<W>(x + w.i0 * a.x_pitch), load_floats<W>(x + w.i1 * a.x_pitch), w.weight1);
        };
        int upper_row = -1, lower_row = -1;
        Floats<W> upper = {}, lower = {};
        const int p_end = min((run + 1) * a.run, a.vertical.out);
        for (int p = run * a.run; p < p_end; ++p) {
            const Source h = a.vertical.source_of(p);
            if (h.i0 != upper_row) upper = h.i0 == lower_row ? lower : row(h.i0);
            if (h.i1 != lower_row) lower = h.i1 == h.i0 ? upper : row(h.i1);
            upper_row = h.i0, lower_row = h.i1;
            T* const y = a.y + ((int64_t(n) * a.vertical.out + p) * a.horizontal.out + q) * a.y_pitch + group * W;
            store_floats(y, blend(upper, lower, h.weight1));
        }
    });
}

template <class T>
struct BackwardArgs {
    const T* dy;
    T* dx;
    int64_t dy_pitch, dx_pitch;
    int run;
    bool accumulate;
    Axis vertical, horizontal;
    Rows rows;
};

// The outputs of one row that reach input column w, weighted: 1 - |source - w|, sources held within the image.
template <class T, int W>
__device__ __forceinline__ Floats<W> gather_row(const Axis& axis, int w, Range reached, const T* dy, int64_t pitch) {
    const int centre = w * axis.denominator, last = (axis.in - 1) * axis.denominator;
    Floats<W> sum = {};
#pragma unroll 4
    for (int q = reached.begin; q < reached.end; ++q) {
        const int position = min(max(axis.step * q + axis.offset, 0), last);
        const float weight = 1 - float(abs(position - centre)) * axis.inverse;
        const Floats<W> g = load_floats<W>(dy + q * pitch);
#pragma unroll
        for (int i = 0; i < W; ++i) sum.v[i] = fmaf(weight, g.v[i], sum.v[i]);
    }
    return sum;
}

template <int W>
__device__ __forceinline__ void add_scaled(Floats<W>& to, float scale, const Floats<W>& x) {
#pragma unroll
    for (int i = 0; i < W; ++i) to.v[i] = fmaf(scale, x.v[i], to.v[i]);
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads, 4) bilinear_backward_kernel(BackwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int run, int w, int group) {
        const Range columns = a.horizontal.reached_by(w);
        const int h_end = min((run + 1) * a.run, a.vertical.in);
        int h = run * a.run;  // the row that `sum` belongs to; `below` belongs to the next
        Floats<W> sum = {}, below = {};
        const auto finish_row = [&] {
            T* const dx = a.dx + ((int64_t(n) * a.vertical.in + h) * a.horizontal.in + w) * a.dx_pitch + group * W;
            if (a.accumulate) add_scaled(sum, 1, load_floats<W>(dx));
            store_floats(dx, sum);
            sum = below, below = {}, ++h;
        };
        const int p_end = a.vertical.reached_by(h_end - 1).end;
        for (int p = a.vertical.reached_by(h).begin; p < p_end; ++p) {
            const Source source = a.vertical.source_of(p);
            const T* const dy = a.dy + (int64_t(n) * a.vertical.out + p) * a.horizontal.out * a.dy_pitch + group * W;
            const Floats<W> row = gather_row<T, W>(a.horizontal, w, columns, dy, a.dy_pitch);
            if (source.i0 < h) {  // the run's first row, reached from above
                add_scaled(sum, source.weight1, row);
                continue;
            }
            while (h < source.i0) finish_row();
            add_scaled(sum, source.i1 == source.i0 ? 1.0f : 1 - source.weight1, row);
            if (source.i1 != source.i0) add_scaled(below, source.weight1, row);
        }
        while (h < h_end) finish_row();
    });
}

// ---- launchers ----

Axis make_axis(int64_t in, int64_t out, bool align_corners) {
    int64_t step = 0, offset = 0, denominator = 1;
    if (!align_corners)
        step = 2 * in, offset = in - out, denominator = 2 * out;
    else if (out > 1)
        step = in - 1, denominator = out - 1;
    const int64_t common = std::gcd(std::gcd(step, offset), denominator);
    step /= common, offset /= common, denominator /= common;
    const int64_t limit = int64_t(1) << 31;
    require((in + 1) * denominator + step + std::abs(offset) < limit && step * out + std::abs(offset) < limit,
            "bilinear: sizes this large need a simpler ratio of output to input");
    return {int(in),
            int(out),
            int(step),
            int(offset),
            int(denominator),
            float(1.0 / double(denominator)),
            Divider(denominator),
            Divider(std::max<int64_t>(step, 1))};
}

// Long runs save work, short ones give the GPU enough threads.
int run_length(int64_t groups, int longest) { return int(std::clamp<int64_t>(groups / (256 * 1024), 1, longest)); }

}  // namespace

void bilinear_forward(Queue& queue, const BilinearForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    check(a);
    const Axis vertical = make_axis(x.h, y.h, a.align_corners), horizontal = make_axis(x.w, y.w, a.align_corners);
    if (y.count() == 0) return;
    dispatch_gpu("bilinear_forward", y.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(groups_fit(x, vector_width<T>) && groups_fit(y, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("bilinear_forward", W);
            const int run = run_length(y.count() / W, 8);
            const Rows rows(y.n, ceil_div(y.h, run), y.w, y.c / W);
            launch(bilinear_forward_kernel<T, W>, rows.grid(), dim3(rows.threads), 0, queue.stream(),
                   ForwardArgs<T>{x.as<T>(), y.as<T>(), x.pitch, y.pitch, run, vertical, horizontal, rows});
        });
    });
}

void bilinear_backward(Queue& queue, const BilinearBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    check(a);
    const Axis vertical = make_axis(dx.h, dy.h, a.align_corners), horizontal = make_axis(dx.w, dy.w, a.align_corners);
    if (dx.count() == 0) return;
    if (dx.h * dx.w == 1 && dy.count() > 0 && dx.n <= max_images)  // each output reads the one pixel with weight 1
        return sum_pixels(queue, dy, a.dx, 1, "bilinear_backward", "one_pixel_");
    dispatch_gpu("bilinear_backward", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(
            groups_fit(dy, vector_width<T>) && groups_fit(dx, vector_width<T>), [&](auto width) {
                constexpr int W = decltype(width)::value;
                ran_width("bilinear_backward", W);
                const int run = run_length(dx.count() / W, 4);
                const Rows rows(dx.n, ceil_div(dx.h, run), dx.w, dx.c / W);
                launch(bilinear_backward_kernel<T, W>, rows.grid(), dim3(rows.threads), 0, queue.stream(),
                       BackwardArgs<T>{dy.as<T>(), dx.as<T>(), dy.pitch, dx.pitch, run, a.dx.accumulate, vertical,
                                       horizontal, rows});
            });
    });
}

}  // namespace atrous::kernels::cuda
