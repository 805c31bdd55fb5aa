// 1x1 convolutions to O <= 8 output channels (O = 1, 2, 4 or 8; missing ones count as zeros and are not stored).
//
// Forward: grid x over pixels; `lanes` threads share a pixel's channels, 16 bytes each at a time, and a thread has 4 pixels
// on the way. The weights lie in shared memory as floats (4 O I bytes, I the input channels). Lanes meet by shuffles.
// Input gradient: grid as in gpu/pixels.h, Columns; a thread keeps the weights of its 16 bytes of channels in registers.
// Weight gradient: the same grid; a thread keeps O sums for each of its channels, the block's rows meet in shared memory
// (one float for each channel of each thread: 8 KiB for 8-vectors), and blocks' sums are added in a fixed order.
#include "kernels/cuda/conv_narrow.h"

#include "base/dispatch.h"
#include "kernels/cuda/implicit_gemm.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

#include <string>

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: forward ----

constexpr int pixels_a_thread = 4;

template <class T>
struct ForwardArgs {
    const T *x, *w;
    const float* bias;
    T* y;
    int64_t pixels, x_pitch, y_pitch;
    int channels, outputs, lanes;
};

// The weight of channel i of group g of 16 bytes, for output o: neighbouring groups are neighbours in fours of floats.
template <int W>
__device__ __forceinline__ int weight_place(int o, int g, int i, int groups) {
    return ((o * (W / 4) + i / 4) * groups + g) * 4 + i % 4;
}

template <class T, int O>
__device__ __forceinline__ void load_weights(const ForwardArgs<T>& a, float* weights) {
    constexpr int W = vector_width<T>;
    for (int i = threadIdx.x; i < O * a.channels; i += block_threads) {
        const int o = i / a.channels, c = i % a.channels;
        weights[weight_place<W>(o, c / W, c % W, a.channels / W)] = o < a.outputs ? device_float(a.w[i]) : 0.0f;
    }
}

template <class T, int O>
__global__ void __launch_bounds__(block_threads, 2) narrow_forward(ForwardArgs<T> a) {
    constexpr int W = vector_width<T>, P = pixels_a_thread;
    float* const weights = dynamic_shared<float>();
    load_weights<T, O>(a, weights);
    __syncthreads();

    const int lane = int(threadIdx.x) % a.lanes, slots = block_threads / a.lanes, groups = a.channels / W;
    const int64_t first = int64_t(blockIdx.x) * slots * P + int(threadIdx.x) / a.lanes;
    float sum[P][O] = {};
    for (int g = lane; g < groups; g += a.lanes) {
        Vec<T, W> x[P];
#pragma unroll
        for (int p = 0; p < P; ++p) {
            const int64_t pixel = first + p * slots;
            x[p] = pixel < a.pixels ? load_vector<W>(a.x + pixel * a.x_pitch + g * W) : Vec<T, W>{};
        }
#pragma unroll
        for (int o = 0; o < O; ++o) {
            Floats<W> w;
#pragma unroll
            for (int i = 0; i < W; i += 4) {
                const auto four = load_floats<4>(weights + weight_place<W>(o, g, i, groups));
#pragma unroll
                for (int j = 0; j < 4; ++j) w.v[i + j] = four.v[j];
            }
#pragma unroll
            for (int p = 0; p < P; ++p)
#pragma unroll
                for (int i = 0; i < W; ++i) sum[p][o] = fmaf(device_float(x[p].v[i]), w.v[i], sum[p][o]);
        }
    }
#pragma unroll
    for (int p = 0; p < P; ++p) {
        const int64_t pixel = first + p * slots;
#pragma unroll
        for (int o = 0; o < O; ++o) {
            float total = sum[p][o];
            for (int other = a.lanes / 2; other > 0; other /= 2) total += __shfl_xor_sync(~0u, total, other);
            if (lane == o % a.lanes && o < a.outputs && pixel < a.pixels)
                a.y[pixel * a.y_pitch + o] = device_round<T>(total + (a.bias ? a.bias[o] : 0.0f));
        }
    }
}

// ---- kernels: gradients ----

template <class T>
struct GradientArgs {
    const T *dy, *w, *x;
    T* dx;
    float* partials;  // [chunks][outputs][channels]
    int64_t dy_pitch, x_pitch;
    int outputs;
    bool accumulate;
    Columns shape;
};

template <class T, int O>
__device__ __forceinline__ Floats<O> load_outputs(const GradientArgs<T>& a, int64_t pixel) {
    Floats<O> dy = {};
#pragma unroll
    for (int o = 0; o < O; ++o)
        if (o < a.outputs) dy.v[o] = device_float(a.dy[pixel * a.dy_pitch + o]);
    return dy;
}

template <class T, int O>
__global__ void __launch_bounds__(block_threads) narrow_input_gradient(GradientArgs<T> a) {
    constexpr int W = vector_width<T>;
    const ColumnPlace at = place_in<W>(a.shape);
    if (!at.active) return;
    Floats<W> w[O] = {};
#pragma unroll
    for (int o = 0; o < O; ++o)
        if (o < a.outputs) w[o] = load_floats<W>(a.w + o * a.shape.channels + at.channel);
    for (int64_t pixel = at.first + at.row; pixel < at.last; pixel += a.shape.rows) {
        const Floats<O> dy = load_outputs<T, O>(a, pixel);
        T* const dx = a.dx + pixel * a.x_pitch + at.channel;
        Floats<W> sum = {}, old = {};
        if (a.accumulate) old = load_floats<W>(dx);
#pragma unroll
        for (int o = 0; o < O; ++o)
#pragma unroll
            for (int i = 0; i < W; ++i) sum.v[i] = fmaf(dy.v[o], w[o].v[i], sum.v[i]);
#pragma unroll
        for (int i = 0; i < W; ++i) sum.v[i] += old.v[i];
        store_floats(dx, sum);
    }
}

template <class T, int O>
__global__ void __launch_bounds__(block_threads) narrow_weight_gradient(GradientArgs<T> a) {
    constexpr int W = vector_width<T>;
    __shared__ float shared[block_threads * W];
    const ColumnPlace at = place_in<W>(a.shape);
    const int columns = a.shape.lanes * W;
    Floats<W> sum[O] = {};
    if (at.active)
        for (int64_t pixel = at.first + at.row; pixel < at.last; pixel += a.shape.rows) {
            const Floats<O> dy = load_outputs<T, O>(a, pixel);
            const Floats<W> x = load_floats<W>(a.x + pixel * a.x_pitch + at.channel);
#pragma unroll
            for (int o = 0; o < O; ++o)
#pragma unroll
                for (int i = 0; i < W; ++i) sum[o].v[i] = fmaf(dy.v[o], x.v[i], sum[o].v[i]);
        }
#pragma unroll
    for (int o = 0; o < O; ++o) {
        if (o >= a.outputs) continue;
        __syncthreads();  // the sums of the output before have been read
        if (at.in_block)
#pragma unroll
            for (int i = 0; i < W; ++i) shared[at.row * columns + at.lane * W + i] = sum[o].v[i];
        sum_columns(shared, a.shape.rows, columns, [&](int column, float total) {
            const int64_t channel = int64_t(blockIdx.y) * columns + column;
            if (channel < a.shape.channels)
                a.partials[(int64_t(blockIdx.x) * a.outputs + o) * a.shape.channels + channel] = total;
        });
    }
}

// ---- launchers ----

// f(integral_constant O), the least of 1, 2, 4 and 8 that holds them.
template <class F>
void with_outputs(int64_t outputs, F f) {
    if (outputs <= 1) return f(std::integral_constant<int, 1>());
    if (outputs <= 2) return f(std::integral_constant<int, 2>());
    if (outputs <= 4) return f(std::integral_constant<int, 4>());
    f(std::integral_constant<int, 8>());
}

void report(const char* function, DType dtype) { ran((std::string(function) + "/narrow_" + name_of(dtype)).c_str()); }

constexpr int64_t most_channels = 1024;  // whose weights fit into 32 KB

}  // namespace

bool fits_narrow(const View& x, const View& w, const View& y, const ConvGeometry& g) {
    return w.h == 1 && w.w == 1 && g.stride == 1 && g.padding == 0 && y.c <= 8 && x.c <= most_channels &&
           (is_half(x.dtype) || x.dtype == DType::f32) && groups_fit(x, 16 / int(size_of(x.dtype)));
}
bool fits_narrow(const ConvBackwardInputArgs& a) {  // it alone reads the weights as vectors
    return fits_narrow(a.dx.view, a.w, a.dy, a.geometry) && aligned(a.w.data, 16);
}

void run_narrow(Queue& q, const ConvForwardArgs& a) {
    report("conv_forward", a.x.dtype);
    dispatch_gpu("conv_forward", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const int groups = int(a.x.c) / vector_width<T>;
        int lanes = 1;
        while (lanes < 32 && lanes < groups) lanes *= 2;
        const int64_t pixels = a.y.pixels(), block = block_threads / lanes * pixels_a_thread;
        with_outputs(a.y.c, [&](auto count) {
            constexpr int O = decltype(count)::value;
            launch(narrow_forward<T, O>, dim3(unsigned(ceil_div(pixels, block))), dim3(block_threads),
                   size_t(O * a.x.c) * sizeof(float), q.stream(),
                   ForwardArgs<T>{a.x.as<T>(), a.w.as<T>(), static_cast<const float*>(a.bias), a.y.as<T>(), pixels,
                                  a.x.pitch, a.y.pitch, int(a.x.c), int(a.y.c), lanes});
        });
    });
}

void run_narrow(Queue& q, const ConvBackwardInputArgs& a) {
    const View &dx = a.dx.view, &dy = a.dy;
    report("conv_backward_input", dx.dtype);
    dispatch_gpu("conv_backward_input", dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Columns shape(dx.pixels(), dx.c, vector_width<T>, 2048, 4, 64);
        with_outputs(dy.c, [&](auto count) {
            launch(narrow_input_gradient<T, decltype(count)::value>, shape.grid(), dim3(shape.threads), 0, q.stream(),
                   GradientArgs<T>{dy.as<T>(), a.w.as<T>(), nullptr, dx.as<T>(), nullptr, dy.pitch, dx.pitch, int(dy.c),
                                   a.dx.accumulate, shape});
        });
    });
}

void run_narrow(Queue& q, const ConvBackwardWeightArgs& a) {
    const View &x = a.x, &dy = a.dy;
    report("conv_backward_weight", x.dtype);
    dispatch_gpu("conv_backward_weight", x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Columns shape(x.pixels(), x.c, vector_width<T>, 1024, 16, int64_t(1) << 40);
        const int64_t count = dy.c * x.c;
        float* const partials = q.scratch<float>(size_t(shape.chunks * count));
        with_outputs(dy.c, [&](auto outputs) {
            launch(narrow_weight_gradient<T, decltype(outputs)::value>, shape.grid(), dim3(shape.threads), 0,
                   q.stream(),
                   GradientArgs<T>{dy.as<T>(), nullptr, x.as<T>(), nullptr, partials, dy.pitch, x.pitch, int(dy.c),
                                   false, shape});
        });
        sum_partials(q, partials, shape.chunks, count, a.dw.view.as<float>(), a.dw.accumulate);
    });
}

}  // namespace atrous::kernels::cuda
