// A stable sort of segments of equal length on a GPU: 32-bit keys with 32-bit values, by digits of four bits from the
// lowest (Satish, Harris, Garland: Designing efficient sorting algorithms for manycore GPUs, IPDPS 2009). How many
// kernels run and with how many blocks depends on the lengths alone, so that a recorded step replays it.
#pragma once

#include <cstdint>

#include "kernels/gpu/pixels.h"
#include "kernels/queue.h"

namespace atrous::kernels::cuda {

constexpr int sort_tile = 2048;  // elements of a segment that a block holds

struct Segments {
    uint32_t *keys, *values;  // [count][length]
    int64_t count, length;

    int tiles() const { return int(ceil_div(length, sort_tile)); }
};
// Sorts every segment by its keys, upwards; equal keys stay in order. Takes as much scratch memory again.
void sort_segments(Queue& q, const Segments& segments);

// Replaces the entries of each of `count` arrays by the sum of those in front of them.
void scan_arrays(Queue& q, int* entries, int64_t count, int64_t length);

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
