// The CUDA language for kernel files, in either platform, and the few helpers every kernel wants.
// <platform/language.h> is kernels/gpu/cuda/platform/language.h under nvcc and kernels/gpu/emu/platform/language.h for the host
// compiler; the include path chooses. It provides, in both platforms:
//   qualifiers, threadIdx/blockIdx/blockDim/gridDim, barriers, shuffles, votes, atomics, math intrinsics;
//   atrous::gpu::dynamic_shared<T>()                       the block's dynamic shared memory, 1024-byte aligned
//   atrous::gpu::launch(kernel, grid, block, smem_bytes, stream, args)   kernel is void(*)(Args); throws GpuError
//   atrous::gpu::device_float(h), device_round<T>(x)       to_float and round_to of device code: float, bf16, f16
#pragma once

#include <cstdint>

#include <platform/language.h>
#include "base/view.h"
#include "kernels/gpu/runtime.h"

namespace atrous::gpu {

// N elements moved as one access: 16 bytes where sizeof(T) * N is 16.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
    T v[N];
};

}  // namespace atrous::gpu
