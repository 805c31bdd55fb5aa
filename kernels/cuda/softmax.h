// The probabilities of one pixel, by one thread that reads its logits again for each of them.
#pragma once

#include "kernels/gpu/device.h"

namespace atrous::kernels::cuda {

template <class T>
struct PixelSoftmax {
    const T* z;
    int channels;
    float largest = 0, total = 0;

    __device__ __forceinline__ PixelSoftmax(const T* logits, int channel_count) : z(logits), channels(channel_count) {
        if (channels == 1) return;
        largest = gpu::device_float(z[0]);
        for (int c = 1; c < channels; ++c) largest = fmaxf(largest, gpu::device_float(z[c]));
        for (int c = 0; c < channels; ++c) total += exponential(c);
    }
    __device__ __forceinline__ float exponential(int c) const { return __expf(gpu::device_float(z[c]) - largest); }
    // p[c], of one channel the sigmoid.
    __device__ __forceinline__ float p(int c) const {
        return channels == 1 ? sigmoid(gpu::device_float(z[0])) : exponential(c) / total;
    }
    // 1 - p[c] without cancellation.
    __device__ __forceinline__ float all_but(int c) const {
        if (channels == 1) return sigmoid(-gpu::device_float(z[0]));
        float sum = 0;
        for (int k = 0; k < channels; ++k) sum += k == c ? 0.0f : exponential(k);
        return sum / total;
    }
    static __device__ __forceinline__ float sigmoid(float x) {
        const float e = __expf(-fabsf(x));
        return (x >= 0 ? 1.0f : e) / (1 + e);
    }
};

// The class of a label, or -1 where the pixel does not count.
__device__ __forceinline__ int class_of(int label, int channels, int ignore_index) {
    if (label == ignore_index) return -1;
    if (channels == 1) return label != 0;
    return label < channels ? label : -1;
}

}  // namespace atrous::kernels::cuda
