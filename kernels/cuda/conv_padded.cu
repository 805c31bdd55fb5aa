// Convolutions of a few input channels, such as those of images, on tensor cores: pixels and weights are copied with
// channels of zeros behind their own until 16 bytes are full, and the products of implicit_gemm_mma.cu and
// wgrad_gemm_mma.cu do the rest. The copies take less time than an eighth of the depth saved in plain arithmetic would.
//
// pad_channels: a thread copies one pixel (or the channels of one tap) and writes 16 bytes. keep_channels: a thread adds or
// writes one weight's gradient. Neither uses shared memory.
#include "kernels/cuda/conv_padded.h"

#include "base/dispatch.h"
#include "kernels/cuda/conv_work.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

struct PadArgs {
    const void* from;
    void* to;
    int64_t pixels, pitch;
    int channels;
};

template <class T>
__global__ void __launch_bounds__(block_threads) pad_channels(PadArgs a) {
    constexpr int width = vector_width<T>;
    const int64_t pixel = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    if (pixel >= a.pixels) return;
    const T* const from = static_cast<const T*>(a.from) + pixel * a.pitch;
    Floats<width> padded = {};
#pragma unroll
    for (int c = 0; c < width - 1; ++c)
        if (c < a.channels) padded.v[c] = device_float(from[c]);
    store_floats(static_cast<T*>(a.to) + pixel * width, padded);
}

struct KeepArgs {
    const float* from;
    float* to;
    int64_t count;
    int channels, width;
    bool accumulate;
};

__global__ void __launch_bounds__(block_threads) keep_channels(KeepArgs a) {
    const int64_t i = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    if (i >= a.count) return;
    const float value = a.from[i / a.channels * a.width + i % a.channels];
    a.to[i] = a.accumulate ? a.to[i] + value : value;
}

// ---- launchers ----

int width_of(DType dtype) { return 16 / int(size_of(dtype)); }

// v with channels until 16 bytes of `dtype` are full, without memory.
View wider(const View& v, DType dtype) {
    View wide = v;
    wide.data = nullptr, wide.c = wide.pitch = width_of(dtype);
    return wide;
}

View padded(Queue& q, const View& v) {
    View to = wider(v, v.dtype);
    to.data = q.scratch<char>(size_t(to.count()) * size_of(v.dtype));
    dispatch_gpu("convolution", v.dtype, [&](auto zero) {
        launch(pad_channels<decltype(zero)>, dim3(unsigned(ceil_div(v.pixels(), block_threads))), dim3(block_threads),
               0, q.stream(), PadArgs{v.data, to.data, v.pixels(), v.pitch, int(v.c)});
    });
    return to;
}

}  // namespace

bool fits_padded(Queue& q, const ConvForwardArgs& a) {
    ConvForwardArgs wide = a;
    wide.x = wider(a.x, a.x.dtype), wide.w = wider(a.w, a.x.dtype);
    return a.x.c < width_of(a.x.dtype) && fits_mma(conv_forward_work(wide), q.math());
}

bool fits_padded(Queue& q, const ConvBackwardWeightArgs& a) {
    ConvBackwardWeightArgs wide = a;
    wide.x = wider(a.x, a.x.dtype), wide.dw = {wider(a.dw.view, a.x.dtype), false};
    return a.x.c < width_of(a.x.dtype) && fits_mma(conv_weight_gradient_work(wide), q.math());
}

void run_padded(Queue& q, const ConvForwardArgs& a) {
    ConvForwardArgs wide = a;
    wide.x = padded(q, a.x), wide.w = padded(q, a.w);
    run_mma(q, conv_forward_work(wide), "padded");
}

void run_padded(Queue& q, const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    ConvBackwardWeightArgs wide = a;
    wide.x = padded(q, a.x);
    wide.dw = {wider(dw, a.x.dtype), false};
    float* const sums = q.scratch<float>(size_t(wide.dw.view.count()));
    wide.dw.view.data = sums;
    run_mma(q, conv_weight_gradient_work(wide), "padded");
    launch(keep_channels, dim3(unsigned(ceil_div(dw.count(), block_threads))), dim3(block_threads), 0, q.stream(),
           KeepArgs{sums, dw.as<float>(), dw.count(), int(dw.c), int(wide.dw.view.c), a.dw.accumulate});
}

}  // namespace atrous::kernels::cuda
