// Prefix sums over the threads of a block.
#pragma once

#include "kernels/gpu/device.h"

namespace atrous::kernels::cuda {

// The sum of the values of the threads in front of this one, by a block of 256. `shared` holds 8 ints; calls may share
// it.
__device__ __forceinline__ int sum_before(int* shared, int value) {
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    int sum = value;
    for (int d = 1; d < 32; d *= 2) {
        const int other = __shfl_up_sync(~0u, sum, d);
        if (lane >= d) sum += other;
    }
    __syncthreads();  // an earlier call may still be reading
    if (lane == 31) shared[warp] = sum;
    __syncthreads();
    for (int w = 0; w < warp; ++w) sum += shared[w];
    return sum - value;
}

}  // namespace atrous::kernels::cuda
