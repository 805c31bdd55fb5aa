// Grid: x over tiles of 2048 elements, y over segments; blocks of 256 threads. A pass over a digit counts the digits of
// every tile, sums the counts over digits and tiles, and moves the tiles' elements: a block sorts its tile in shared
// memory first, so that equal digits are written side by side. 32 KiB of shared memory.
#include "kernels/cuda/segment_sort.h"

#include "kernels/cuda/block_prefix.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

constexpr int bits = 4, digits = 1 << bits, items = sort_tile / block_threads;

struct PassArgs {
    const uint32_t *keys, *values;
    uint32_t *to_keys, *to_values;
    int* places;  // [segments][digits][tiles]: counts, then where the first of a tile goes
    int64_t length;
    int shift;

    __device__ __forceinline__ int digit_of(uint32_t key) const { return int(key >> shift & (digits - 1)); }
    __device__ __forceinline__ int64_t begin() const { return int64_t(blockIdx.y) * length; }
    __device__ __forceinline__ int64_t first() const { return int64_t(blockIdx.x) * sort_tile; }
    __device__ __forceinline__ int count() const { return int(min(int64_t(sort_tile), length - first())); }
    __device__ __forceinline__ int& place(int digit) const {
        return places[(int64_t(blockIdx.y) * digits + digit) * gridDim.x + blockIdx.x];
    }
};

__global__ void __launch_bounds__(block_threads) count_digits(PassArgs a) {
    __shared__ int counts[digits][block_threads + 1];
    const int thread = int(threadIdx.x), count = a.count();
    for (int d = 0; d < digits; ++d) counts[d][thread] = 0;
    const uint32_t* const keys = a.keys + a.begin() + a.first();
    for (int i = thread; i < count; i += block_threads) ++counts[a.digit_of(keys[i])][thread];
    __syncthreads();
    constexpr int parts = block_threads / digits;
    const int digit = thread / parts;
    int sum = 0;
    for (int i = thread % parts; i < block_threads; i += parts) sum += counts[digit][i];
    for (int d = 1; d < parts; d *= 2) sum += __shfl_xor_sync(~0u, sum, d);
    if (thread % parts == 0) a.place(digit) = sum;
}

struct ScanArgs {
    int* entries;
    int64_t length;
};

// A block an array, which it walks 256 neighbouring entries at a time.
__global__ void __launch_bounds__(block_threads) scan_array(ScanArgs a) {
    __shared__ int shared[block_threads / 32], carry;
    int* const entries = a.entries + int64_t(blockIdx.x) * a.length;
    int passed = 0;
    for (int64_t first = 0; first < a.length; first += block_threads) {
        const int64_t i = first + threadIdx.x;
        const int entry = i < a.length ? entries[i] : 0, before = passed + sum_before(shared, entry);
        if (i < a.length) entries[i] = before;
        if (threadIdx.x == block_threads - 1) carry = before + entry;
        __syncthreads();
        passed = carry;  // written again behind the barriers of sum_before
    }
}

__global__ void __launch_bounds__(block_threads) move_elements(PassArgs a) {
    __shared__ uint32_t keys[sort_tile], values[sort_tile];
    __shared__ int next[digits * block_threads];  // [digit][thread]: where the thread's next of the digit goes
    __shared__ int start[digits], shared[block_threads / 32];
    const int thread = int(threadIdx.x), count = a.count();
    for (int i = thread; i < count; i += block_threads) {
        keys[i] = a.keys[a.begin() + a.first() + i];
        values[i] = a.values[a.begin() + a.first() + i];
    }
    for (int d = 0; d < digits; ++d) next[d * block_threads + thread] = 0;
    __syncthreads();
    const int own = min(items, max(count - thread * items, 0));
    uint32_t my_keys[items], my_values[items];
#pragma unroll
    for (int i = 0; i < items; ++i) {
        if (i >= own) continue;
        my_keys[i] = keys[thread * items + i], my_values[i] = values[thread * items + i];
        ++next[a.digit_of(my_keys[i]) * block_threads + thread];
    }
    __syncthreads();
    int sum = 0;
    for (int i = 0; i < digits; ++i) sum += next[thread * digits + i];
    int before = sum_before(shared, sum);
    for (int i = 0; i < digits; ++i) {
        const int entry = next[thread * digits + i];
        next[thread * digits + i] = before, before += entry;
    }
    __syncthreads();
    if (thread < digits) start[thread] = next[thread * block_threads];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < items; ++i) {
        if (i >= own) continue;
        const int to = next[a.digit_of(my_keys[i]) * block_threads + thread]++;
        keys[to] = my_keys[i], values[to] = my_values[i];
    }
    __syncthreads();
    for (int i = thread; i < count; i += block_threads) {
        const int digit = a.digit_of(keys[i]);
        const int64_t to = a.begin() + a.place(digit) + (i - start[digit]);
        a.to_keys[to] = keys[i], a.to_values[to] = values[i];
    }
}

}  // namespace

void scan_arrays(Queue& q, int* entries, int64_t count, int64_t length) {
    launch(scan_array, dim3(unsigned(count)), dim3(block_threads), 0, q.stream(), ScanArgs{entries, length});
}

void sort_segments(Queue& q, const Segments& s) {
    require(s.count <= 65535 && s.length < (int64_t(1) << 31),
            "segment_sort: at most 65535 segments of fewer than 2^31 elements are sorted");
    const dim3 grid(unsigned(s.tiles()), unsigned(s.count));
    PassArgs a{s.keys,
               s.values,
               q.scratch<uint32_t>(size_t(s.count * s.length)),
               q.scratch<uint32_t>(size_t(s.count * s.length)),
               q.scratch<int>(size_t(s.count * digits * s.tiles())),
               s.length,
               0};
    uint32_t *other_keys = s.keys, *other_values = s.values;
    for (; a.shift < 32; a.shift += bits) {  // an even number of passes: the result is where it came from
        launch(count_digits, grid, dim3(block_threads), 0, q.stream(), a);
        scan_arrays(q, a.places, s.count, digits * s.tiles());
        launch(move_elements, grid, dim3(block_threads), 0, q.stream(), a);
        uint32_t *const keys = a.to_keys, *const values = a.to_values;
        a.to_keys = other_keys, a.to_values = other_values;
        a.keys = other_keys = keys, a.values = other_values = values;
    }
}

}  // namespace atrous::kernels::cuda
