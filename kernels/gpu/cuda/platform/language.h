// The CUDA language as nvcc has it; what kernels/gpu/device.h promises on top of it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

#include "base/half.h"
#include "kernels/gpu/runtime.h"

namespace atrous::gpu {

namespace cuda {
void launch(const void* kernel, dim3 grid, dim3 block, size_t smem_bytes, StreamView stream, void** args);
}

// kernel<<<grid, block, smem_bytes, stream>>>(args)
template <class Args>
void launch(void (*kernel)(Args), dim3 grid, dim3 block, size_t smem_bytes, StreamView stream,
            const std::type_identity_t<Args>& args) {
    static_assert(std::is_trivially_copyable_v<Args>);
    if (stream.is_dry_run()) return;
    void* list[] = {const_cast<Args*>(&args)};
    cuda::launch(reinterpret_cast<const void*>(kernel), grid, block, smem_bytes, stream, list);
}

// One array for every kernel: under nvcc an extern __shared__ array has one type a name and translation unit.
template <class T = unsigned char>
__device__ __forceinline__ T* dynamic_shared() {
    extern __shared__ __align__(1024) unsigned char atrous_dynamic_shared[];
    return reinterpret_cast<T*>(atrous_dynamic_shared);
}

__device__ __forceinline__ float device_float(float x) { return x; }
__device__ __forceinline__ float device_float(bf16 h) { return __bfloat162float(__ushort_as_bfloat16(h.bits)); }
__device__ __forceinline__ float device_float(f16 h) { return __half2float(__ushort_as_half(h.bits)); }

template <class T>
__device__ __forceinline__ T device_round(float x) {
    if constexpr (std::is_same_v<T, bf16>) {
        return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
    } else if constexpr (std::is_same_v<T, f16>) {
        return {__half_as_ushort(__float2half_rn(x))};
    } else {
        static_assert(std::is_same_v<T, float>);
        return x;
    }
}

// Two halves as one word, `low` first in memory: one conversion, and one value that the compiler stores whole.
template <class T>
__device__ __forceinline__ uint32_t device_round_pair(float low, float high) {
    if constexpr (std::is_same_v<T, bf16>) {
        const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
        return *reinterpret_cast<const uint32_t*>(&pair);
    } else {
        static_assert(std::is_same_v<T, f16>);
        const __half2 pair = __floats2half2_rn(low, high);
        return *reinterpret_cast<const uint32_t*>(&pair);
    }
}

}  // namespace atrous::gpu
