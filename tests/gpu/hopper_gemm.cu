// The emulator's Hopper kernel, compiled by nvcc: the same source must give the instructions that it is named after.
#include "tests/emulator/hopper_gemm.h"

namespace atrous::gpu::test {

template __global__ void hopper_gemm<bf16, Major::k, Major::k, false>(const __grid_constant__ GemmArgs);
template __global__ void hopper_gemm<bf16, Major::mn, Major::mn, false>(const __grid_constant__ GemmArgs);
template __global__ void hopper_gemm<f16, Major::k, Major::mn, false>(const __grid_constant__ GemmArgs);

}  // namespace atrous::gpu::test
