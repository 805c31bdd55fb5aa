// Global average pooling. Forward: grid x over chunks of pixels of one image, y over slabs of at most 32 groups of
// channels, z over images (gpu/pixels.h, Columns); a block owns a chunk of a slab and leaves its sums, which a second
// kernel adds: x over 8 channels, y over images, 32 threads a channel. Backward: grid as in the first kernel; a thread
// keeps its channels' gradient and writes it to many pixels. Shared memory: one float for each channel of each thread
// (8 KiB for 8-vectors); finishing 2 KiB.
#include "kernels/global_pool.h"

#include "base/dispatch.h"
#include "kernels/cuda/pixel_sums.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

template <class T>
struct SumArgs {
    const T* x;
    int64_t pitch;
    float* partials;  // [N][chunks][C]
    Columns shape;    // of one image
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) image_sums(SumArgs<T> a) {
    __shared__ float shared[block_threads * W];
    const ColumnPlace at = place_in<W>(a.shape);
    const int columns = a.shape.lanes * W;
    const int64_t image = blockIdx.z;
    Floats<W> sum = {};
    if (at.active) {
        const T* const x = a.x + image * a.shape.pixels * a.pitch + at.channel;
        for_each_pixel<4>(
            at, a.shape.rows, [&](int64_t pixel) { return load_vector<W>(x + pixel * a.pitch); },
            [&](int64_t, const Vec<T, W>& loaded) {
#pragma unroll
                for (int i = 0; i < W; ++i) sum.v[i] += device_float(loaded.v[i]);
            });
    }
    if (at.in_block)
#pragma unroll
        for (int i = 0; i < W; ++i) shared[at.row * columns + at.lane * W + i] = sum.v[i];
    sum_columns(shared, a.shape.rows, columns, [&](int column, float total) {
        const int64_t channel = int64_t(blockIdx.y) * columns + column;
        if (channel < a.shape.channels)
            a.partials[(image * a.shape.chunks + blockIdx.x) * a.shape.channels + channel] = total;
    });
}

template <class T>
struct FinishArgs {
    const float* partials;
    T* y;
    int64_t y_pitch, channels;
    double divisor;
    int chunks;
    bool accumulate;
};

template <class T>
__global__ void __launch_bounds__(finish_threads) finish_sums(FinishArgs<T> a) {
    const int64_t channel = int64_t(blockIdx.x) * finish_columns + finish_place().column, image = blockIdx.y;
    const float* const partials = a.partials + image * a.chunks * a.channels + channel;
    sum_chunks<1>(
        channel < a.channels ? a.chunks : 0,
        [&](int64_t chunk, double* sum) { sum[0] += partials[chunk * a.channels]; },
        [&](const double* sum) {
            if (channel >= a.channels) return;
            T& y = a.y[image * a.y_pitch + channel];
            y = device_round<T>(float(sum[0] / a.divisor) + (a.accumulate ? device_float(y) : 0.0f));
        });
}

template <class T>
struct SpreadArgs {
    const T* dy;
    T* dx;
    int64_t dy_pitch, dx_pitch;
    float share;
    bool accumulate;
    Columns shape;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads, 3) spread_gradient(SpreadArgs<T> a) {
    const ColumnPlace at = place_in<W>(a.shape);
    if (!at.active) return;
    const int64_t image = blockIdx.z;
    Floats<W> gradient = load_floats<W>(a.dy + image * a.dy_pitch + at.channel);
#pragma unroll
    for (int i = 0; i < W; ++i) gradient.v[i] *= a.share;
    T* const dx = a.dx + image * a.shape.pixels * a.dx_pitch + at.channel;
    for_each_pixel<4>(
        at, a.shape.rows,
        [&](int64_t pixel) { return a.accumulate ? load_vector<W>(dx + pixel * a.dx_pitch) : Vec<T, W>{}; },
        [&](int64_t pixel, const Vec<T, W>& old) {
            Floats<W> to = gradient;
            if (a.accumulate) {
#pragma unroll
                for (int i = 0; i < W; ++i) to.v[i] += device_float(old.v[i]);
            }
            store_floats(dx + pixel * a.dx_pitch, to);
        });
}

// ---- launchers ----

}  // namespace

void sum_pixels(Queue& q, const View& x, const GradTarget& sums, double divisor, const char* function,
                const char* variant) {
    const View& y = sums.view;
    dispatch_gpu(function, x.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(groups_fit(x, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width(function, W, variant);
            const Columns shape(x.h * x.w, x.c, W, std::max<int64_t>(1, 2048 / x.n), 8, int64_t(1) << 40);
            float* const partials = q.scratch<float>(size_t(x.n * shape.chunks * x.c));
            launch(image_sums<T, W>, shape.grid(x.n), dim3(shape.threads), 0, q.stream(),
                   SumArgs<T>{x.as<T>(), x.pitch, partials, shape});
            launch(finish_sums<T>, dim3(unsigned(ceil_div(x.c, finish_columns)), unsigned(x.n)), dim3(finish_threads),
                   0, q.stream(),
                   FinishArgs<T>{partials, y.as<T>(), y.pitch, x.c, divisor, shape.chunks, sums.accumulate});
        });
    });
}

void global_pool_forward(Queue& q, const GlobalPoolForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    check(a);
    require(x.n <= max_images, "global pool: at most 65535 images at once");
    if (y.count() == 0) return;
    sum_pixels(q, x, {y, false}, double(x.h * x.w), "global_pool_forward");
}

void global_pool_backward(Queue& q, const GlobalPoolBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    check(a);
    require(dx.n <= max_images, "global pool: at most 65535 images at once");
    if (dx.count() == 0) return;
    dispatch_gpu("global_pool_backward", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(
            groups_fit(dx, vector_width<T>) && groups_fit(dy, vector_width<T>), [&](auto width) {
                constexpr int W = decltype(width)::value;
                ran_width("global_pool_backward", W);
                const Columns shape(dx.h * dx.w, dx.c, W, std::max<int64_t>(1, 2048 / dx.n), 4, 16);
                launch(spread_gradient<T, W>, shape.grid(dx.n), dim3(shape.threads), 0, q.stream(),
                       SpreadArgs<T>{dy.as<T>(), dx.as<T>(), dy.pitch, dx.pitch, float(1.0 / double(dx.h * dx.w)),
                                     a.dx.accumulate, shape});
            });
    });
}

}  // namespace atrous::kernels::cuda
