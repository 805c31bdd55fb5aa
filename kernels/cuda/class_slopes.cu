// A thread takes a pixel, a block 256 neighbouring ones: slopes are read side by side, logits through the cache.
#include "kernels/class_slopes.h"

#include "base/dispatch.h"
#include "kernels/cuda/softmax.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

template <class T>
struct SlopesArgs {
    const T* logits;
    const float *slopes, *grad_output;
    T* dlogits;
    int64_t pitch, dlogits_pitch, pixels;
    int channels;
    float scale;
    bool accumulate;
};

// Blocks: without their number ptxas takes 32 registers on sm_80 and spills one.
template <class T>
__global__ void __launch_bounds__(block_threads, 4) class_slopes_gradient(SlopesArgs<T> a) {
    const int64_t pixel = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    if (pixel >= a.pixels) return;
    const float* const s = a.slopes + pixel;
    bool still = true;
    for (int c = 0; c < a.channels; ++c) still = still && s[c * a.pixels] == 0;
    const PixelSoftmax<T> softmax(a.logits + pixel * a.pitch, a.channels);
    const float scale = a.scale * *a.grad_output;
    float mean = 0;
    if (a.channels > 1)
        for (int c = 0; c < a.channels; ++c) mean += softmax.p(c) * s[c * a.pixels];
    T* const to = a.dlogits + pixel * a.dlogits_pitch;
    for (int c = 0; c < a.channels; ++c) {
        const float slope = s[c * a.pixels];
        float dz = 0;
        if (!still) dz = scale * (a.channels == 1 ? slope : softmax.p(c) * (slope - mean));
        to[c] = device_round<T>(a.accumulate ? device_float(to[c]) + dz : dz);
    }
}

}  // namespace

void class_slopes_backward(Queue& q, const ClassSlopesBackwardArgs& a) {
    check(a);
    const View &z = a.logits, &dz = a.dlogits.view;
    require(ceil_div(z.pixels(), block_threads) < (int64_t(1) << 31), "class_slopes: too many pixels");
    ran("class_slopes_backward/pixels");
    dispatch_gpu("class_slopes_backward", z.dtype, [&](auto zero) {
        using T = decltype(zero);
        const SlopesArgs<T> k{z.as<T>(),
                              static_cast<const float*>(a.slopes),
                              static_cast<const float*>(a.grad_output),
                              dz.as<T>(),
                              z.pitch,
                              dz.pitch,
                              z.pixels(),
                              int(z.c),
                              float(a.scale),
                              a.dlogits.accumulate};
        launch(class_slopes_gradient<T>, dim3(unsigned(ceil_div(z.pixels(), block_threads))), dim3(block_threads), 0,
               q.stream(), k);
    });
}

}  // namespace atrous::kernels::cuda
