// Max pooling. Grid: x over the groups of channels of one image row, y over image rows (gpu/pixels.h, Rows). A thread
// owns one group of one pixel: of the output in the forward pass, of the input in the backward pass, where it gathers
// from the windows that contain the pixel. 2x2 windows of stride 2 do not overlap: there the backward pass owns
// windows, reads each gradient once and writes its four inputs. No shared memory.
#include "kernels/pool.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

template <class T>
struct ForwardArgs {
    const T* x;
    T* y;
    uint8_t* indices;
    int64_t x_pitch, y_pitch, channels;
    int in_h, in_w, out_h, out_w;
    PoolGeometry geometry;
    Rows rows;
};

template <int W>
struct Best {
    Floats<W> value;
    Vec<uint8_t, W> index;

    // A window of -infinity chooses its first position.
    explicit __device__ __forceinline__ Best(int first_position) {
#pragma unroll
        for (int i = 0; i < W; ++i) value.v[i] = -INFINITY, index.v[i] = uint8_t(first_position);
    }
    // The first maximum wins, the first NaN over everything.
    __device__ __forceinline__ void offer(const Floats<W>& x, int position) {
#pragma unroll
        for (int i = 0; i < W; ++i) {
            if (x.v[i] <= value.v[i] || value.v[i] != value.v[i]) continue;
            value.v[i] = x.v[i];
            index.v[i] = uint8_t(position);
        }
    }
};

template <class T, int W>
__device__ __forceinline__ void store_best(const ForwardArgs<T>& a, int64_t pixel, int group, const Best<W>& best) {
    store_floats(a.y + pixel * a.y_pitch + group * W, best.value);
    if (a.indices) store_vector(a.indices + pixel * a.channels + group * W, best.index);
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads) max_pool_2x2(ForwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int p, int q, int group) {
        const T* x = a.x + ((int64_t(n) * a.in_h + 2 * p) * a.in_w + 2 * q) * a.x_pitch + group * W;
        const int64_t next_row = a.in_w * a.x_pitch;
        const Vec<T, W> corners[4] = {load_vector<W>(x), load_vector<W>(x + a.x_pitch), load_vector<W>(x + next_row),
                                      load_vector<W>(x + next_row + a.x_pitch)};
        Best<W> best(0);
#pragma unroll
        for (int i = 0; i < 4; ++i) best.offer(to_floats(corners[i]), i);
        store_best(a, (int64_t(n) * a.out_h + p) * a.out_w + q, group, best);
    });
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads) max_pool_any(ForwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int p, int q, int group) {
        const int kernel = a.geometry.kernel;
        const int top = p * a.geometry.stride - a.geometry.padding, left = q * a.geometry.stride - a.geometry.padding;
        const int r_begin = max(0, -top), r_end = min(kernel, a.in_h - top);
        const int s_begin = max(0, -left), s_end = min(kernel, a.in_w - left);
        Best<W> best(r_begin * kernel + s_begin);
        for (int r = r_begin; r < r_end; ++r) {
            const T* x = a.x + ((int64_t(n) * a.in_h + top + r) * a.in_w + left) * a.x_pitch + group * W;
            for (int s = s_begin; s < s_end; ++s) best.offer(load_floats<W>(x + s * a.x_pitch), r * kernel + s);
        }
        store_best(a, (int64_t(n) * a.out_h + p) * a.out_w + q, group, best);
    });
}

template <class T>
struct BackwardArgs {
    const T* dy;
    const uint8_t* indices;
    T* dx;
    int64_t dy_pitch, dx_pitch, channels;
    int in_h, in_w, out_h, out_w;
    PoolGeometry geometry;
    bool accumulate;
    Rows rows;
};

template <class T, int W>
__device__ __forceinline__ void store_gradient(const BackwardArgs<T>& a, int n, int h, int w, int group,
                                               Floats<W> sum) {
    T* dx = a.dx + ((int64_t(n) * a.in_h + h) * a.in_w + w) * a.dx_pitch + group * W;
    if (a.accumulate) {
        const Floats<W> old = load_floats<W>(dx);
#pragma unroll
        for (int i = 0; i < W; ++i) sum.v[i] += old.v[i];
    }
    store_floats(dx, sum);
}

// Rows and pixels count windows, those cut off by an odd size included: their inputs get no gradient.
template <class T, int W>
__global__ void __launch_bounds__(block_threads, 4) max_pool_2x2_backward(BackwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int p, int q, int group) {
        Floats<W> dy = {};
        Vec<uint8_t, W> index = {};
        if (p < a.out_h && q < a.out_w) {
            const int64_t pixel = (int64_t(n) * a.out_h + p) * a.out_w + q;
            dy = load_floats<W>(a.dy + pixel * a.dy_pitch + group * W);
            index = load_vector<W>(a.indices + pixel * a.channels + group * W);
        }
#pragma unroll
        for (int corner = 0; corner < 4; ++corner) {
            const int h = 2 * p + corner / 2, w = 2 * q + corner % 2;
            if (h >= a.in_h || w >= a.in_w) continue;
            Floats<W> sum;
#pragma unroll
            for (int i = 0; i < W; ++i) sum.v[i] = index.v[i] == corner ? dy.v[i] : 0.0f;
            store_gradient(a, n, h, w, group, sum);
        }
    });
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads) max_pool_any_backward(BackwardArgs<T> a) {
    for_each_row(a.rows, [&](int n, int h, int w, int group) {
        const int kernel = a.geometry.kernel, stride = a.geometry.stride;
        const int bottom = h + a.geometry.padding, right = w + a.geometry.padding;
        const int p_begin = bottom < kernel ? 0 : (bottom - kernel) / stride + 1,
                  p_end = min(a.out_h, bottom / stride + 1);
        const int q_begin = right < kernel ? 0 : (right - kernel) / stride + 1,
                  q_end = min(a.out_w, right / stride + 1);
        Floats<W> sum = {};
        for (int p = p_begin; p < p_end; ++p)
            for (int q = q_begin; q < q_end; ++q) {
                const int64_t pixel = (int64_t(n) * a.out_h + p) * a.out_w + q;
                const int here = (bottom - p * stride) * kernel + right - q * stride;
                const Vec<uint8_t, W> index = load_vector<W>(a.indices + pixel * a.channels + group * W);
                const Floats<W> dy = load_floats<W>(a.dy + pixel * a.dy_pitch + group * W);
#pragma unroll
                for (int i = 0; i < W; ++i) sum.v[i] += index.v[i] == here ? dy.v[i] : 0.0f;
            }
        store_gradient(a, n, h, w, group, sum);
    });
}

// ---- launchers ----

bool is_2x2(const PoolGeometry& g) { return g.kernel == 2 && g.stride == 2 && g.padding == 0; }

}  // namespace

void max_pool_forward(Queue& q, const MaxPoolForwardArgs& a) {
    check(a);
    if (a.y.count() == 0) return;
    dispatch_gpu("max_pool_forward", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        const bool vectors = groups_fit(a.x, wide) && groups_fit(a.y, wide) && aligned(a.indices, wide);
        with_width<wide>(vectors, [&](auto width) {
            constexpr int W = decltype(width)::value;
            const bool two = is_2x2(a.geometry);
            ran_width("max_pool_forward", W, two ? "2x2_" : "any_");
            const Rows rows(a.y.n, a.y.h, a.y.w, a.y.c / W);
            launch(two ? max_pool_2x2<T, W> : max_pool_any<T, W>, rows.grid(), dim3(rows.threads), 0, q.stream(),
                   ForwardArgs<T>{a.x.as<T>(), a.y.as<T>(), a.indices, a.x.pitch, a.y.pitch, a.y.c, int(a.x.h),
                                  int(a.x.w), int(a.y.h), int(a.y.w), a.geometry, rows});
        });
    });
}

void max_pool_backward(Queue& q, const MaxPoolBackwardArgs& a) {
    const View& dx = a.dx.view;
    check(a);
    if (dx.count() == 0) return;
    dispatch_gpu("max_pool_backward", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        const bool vectors = groups_fit(dx, wide) && groups_fit(a.dy, wide) && aligned(a.indices, wide);
        with_width<wide>(vectors, [&](auto width) {
            constexpr int W = decltype(width)::value;
            const bool two = is_2x2(a.geometry);
            ran_width("max_pool_backward", W, two ? "2x2_" : "any_");
            const Rows rows =
                two ? Rows(dx.n, ceil_div(dx.h, 2), ceil_div(dx.w, 2), dx.c / W) : Rows(dx.n, dx.h, dx.w, dx.c / W);
            launch(two ? max_pool_2x2_backward<T, W> : max_pool_any_backward<T, W>, rows.grid(), dim3(rows.threads), 0,
                   q.stream(),
                   BackwardArgs<T>{a.dy.as<T>(), a.indices, dx.as<T>(), a.dy.pitch, dx.pitch, dx.c, int(dx.h),
                                   int(dx.w), int(a.dy.h), int(a.dy.w), a.geometry, a.dx.accumulate, rows});
        });
    });
}

}  // namespace atrous::kernels::cuda
