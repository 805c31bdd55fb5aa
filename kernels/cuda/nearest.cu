// Nearest-neighbour resampling. Grid: x over the groups of channels of one image row, y over image rows (gpu/pixels.h,
// Rows); a thread owns one group of one pixel, of the output in the forward pass and of the input in the backward pass,
// where it sums the block of outputs that read it. No shared memory.
#include "kernels/nearest.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

// One axis, in floats as kernels/nearest.h says.
struct Axis {
    int in, out;
    float scale, inverse;

    Axis(int64_t in_size, int64_t out_size)
        : in(int(in_size)),
          out(int(out_size)),
          scale(float(in_size) / float(out_size)),
          inverse(float(out_size) / float(in_size)) {}
    __device__ __forceinline__ int source_of(int p) const {
        return min(__float2int_rd(__fmul_rn(float(p), scale)), in - 1);
    }
    // The first output that reads input i or one after it: a guess, put right by asking the rule itself.
    __device__ __forceinline__ int first_reader(int i) const {
        int p = min(int(float(i) * inverse), out);
        while (p > 0 && source_of(p - 1) >= i) --p;
        while (p < out && source_of(p) < i) ++p;
        return p;
    }
};

template <class T>
struct ForwardArgs {
    const T* x;
    T* y;
    int64_t x_pitch, y_pitch;
    Axis h, w;
    Rows rows;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) nearest_copy(ForwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int p, int q, int group) {
        const int64_t from = (int64_t(n) * a.h.in + a.h.source_of(p)) * a.w.in + a.w.source_of(q);
        const int64_t to = (int64_t(n) * a.h.out + p) * a.w.out + q;
        store_vector(a.y + to * a.y_pitch + group * W, load_vector<W>(a.x + from * a.x_pitch + group * W));
    });
}

template <class T>
struct BackwardArgs {
    const T* dy;
    T* dx;
    int64_t dy_pitch, dx_pitch;
    bool accumulate;
    Axis h, w;
    Rows rows;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads, 4) nearest_gather(BackwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int h, int w, int group) {
        const int p_begin = a.h.first_reader(h), p_end = a.h.first_reader(h + 1);
        const int q_begin = a.w.first_reader(w), q_end = a.w.first_reader(w + 1);
        Floats<W> sum = {};
        for (int p = p_begin; p < p_end; ++p) {
            const T* const row = a.dy + (int64_t(n) * a.h.out + p) * a.w.out * a.dy_pitch + group * W;
            for (int q = q_begin; q < q_end; ++q) {
                const Floats<W> g = load_floats<W>(row + q * a.dy_pitch);
#pragma unroll
                for (int i = 0; i < W; ++i) sum.v[i] += g.v[i];
            }
        }
        T* const dx = a.dx + ((int64_t(n) * a.h.in + h) * a.w.in + w) * a.dx_pitch + group * W;
        if (a.accumulate) {
            const Floats<W> old = load_floats<W>(dx);
#pragma unroll
            for (int i = 0; i < W; ++i) sum.v[i] += old.v[i];
        }
        store_floats(dx, sum);
    });
}

}  // namespace

// ---- launchers ----

void nearest_forward(Queue& q, const NearestForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    check(a);
    if (y.count() == 0) return;
    dispatch_gpu("nearest_forward", y.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(groups_fit(x, vector_width<T>) && groups_fit(y, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("nearest_forward", W);
            const Rows rows(y.n, y.h, y.w, y.c / W);
            launch(nearest_copy<T, W>, rows.grid(), dim3(rows.threads), 0, q.stream(),
                   ForwardArgs<T>{x.as<T>(), y.as<T>(), x.pitch, y.pitch, Axis(x.h, y.h), Axis(x.w, y.w), rows});
        });
    });
}

void nearest_backward(Queue& q, const NearestBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    check(a);
    if (dx.count() == 0) return;
    dispatch_gpu("nearest_backward", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(
            groups_fit(dy, vector_width<T>) && groups_fit(dx, vector_width<T>), [&](auto width) {
                constexpr int W = decltype(width)::value;
                ran_width("nearest_backward", W);
                const Rows rows(dx.n, dx.h, dx.w, dx.c / W);
                launch(nearest_gather<T, W>, rows.grid(), dim3(rows.threads), 0, q.stream(),
                       BackwardArgs<T>{dy.as<T>(), dx.as<T>(), dy.pitch, dx.pitch, a.dx.accumulate, Axis(dx.h, dy.h),
                                       Axis(dx.w, dy.w), rows});
            });
    });
}

}  // namespace atrous::kernels::cuda
