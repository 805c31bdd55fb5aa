// Sums within a block and over the partial results of blocks, always in the same order: results depend on shapes alone.
#pragma once

#include "kernels/gpu/device.h"

namespace atrous::gpu {

// Count, mean and sum of squared deviations of some values; `merged` is exact algebra (Chan, Golub, LeVeque 1979) and
// keeps its digits where the mean is large.
struct Moments {
    float count, mean, squares;
};

__device__ __forceinline__ Moments merged(const Moments& a, const Moments& b) {
    const float count = a.count + b.count;
    if (count == 0) return a;
    const float difference = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + difference * share, a.squares + b.squares + difference * difference * a.count * share};
}

// How many threads share the work on one column of a rows x columns matrix.
__device__ __forceinline__ int parts_of(int rows, int columns) {
    const int parts = int(blockDim.x) / columns;
    return parts < 1 ? 1 : parts < rows ? parts : rows;
}

// Sums the columns of a row-major matrix in shared memory. The whole block calls it, after writing the matrix and with
// no barrier in between; result(column, sum) is called once a column.
template <class Result>
__device__ __forceinline__ void sum_columns(float* matrix, int rows, int columns, Result result) {
    const int parts = parts_of(rows, columns);
    __syncthreads();
    for (int i = int(threadIdx.x); i < parts * columns; i += int(blockDim.x)) {
        float total = 0;
        for (int row = i / columns; row < rows; row += parts) total += matrix[row * columns + i % columns];
        if (parts == 1)
            result(i, total);
        else
            matrix[i] = total;  // row i / columns, which only this thread reads
    }
    if (parts == 1) return;
    __syncthreads();
    for (int i = int(threadIdx.x); i < columns; i += int(blockDim.x)) {
        float total = 0;
        for (int part = 0; part < parts; ++part) total += matrix[part * columns + i];
        result(i, total);
    }
}

// The same for moments: matrices of means and of squares; every entry of row r stands for count_of(r) values.
// `counts` holds one float a thread.
template <class CountOf, class Result>
__device__ __forceinline__ void merge_columns(float* means, float* squares, float* counts, int rows, int columns,
                                              CountOf count_of, Result result) {
    const int parts = parts_of(rows, columns);
    __syncthreads();
    for (int i = int(threadIdx.x); i < parts * columns; i += int(blockDim.x)) {
        const int part = i / columns;
        Moments total{0, 0, 0};
        for (int row = part; row < rows; row += parts) {
            const int from = row * columns + i % columns;
            total = merged(total, {count_of(row), means[from], squares[from]});
        }
        if (parts == 1) {
            result(i, total);
        } else {
            means[i] = total.mean, squares[i] = total.squares;
            if (i % columns == 0) counts[part] = total.count;
        }
    }
    if (parts == 1) return;
    __syncthreads();
    for (int i = int(threadIdx.x); i < columns; i += int(blockDim.x)) {
        Moments total{0, 0, 0};
        for (int part = 0; part < parts; ++part)
            total = merged(total, {counts[part], means[part * columns + i], squares[part * columns + i]});
        result(i, total);
    }
}

// ---- the second stage: partial results of blocks ----

// A block of finish_threads finishes finish_columns neighbouring columns (32 bytes of float partials, a sector);
// finish_parts threads share one column.
constexpr int finish_columns = 8, finish_parts = 32, finish_threads = finish_columns * finish_parts;

struct FinishPlace {
    int column, part;
};
__device__ __forceinline__ FinishPlace finish_place() {
    return {int(threadIdx.x) % finish_columns, int(threadIdx.x) / finish_columns};
}

// add(chunk, sums) adds chunk's share of N sums; result(sums) is called by one thread a column, in every column: the
// caller passes chunks = 0 where its column does not exist. Once a kernel, by the whole block.
template <int N, class Add, class Result>
__device__ __forceinline__ void sum_chunks(int64_t chunks, Add add, Result result) {
    __shared__ double shared[N * finish_threads];
    const auto [column, part] = finish_place();
    double sums[N] = {};
#pragma unroll 4
    for (int64_t chunk = part; chunk < chunks; chunk += finish_parts) add(chunk, sums);
#pragma unroll
    for (int i = 0; i < N; ++i) shared[i * finish_threads + threadIdx.x] = sums[i];
    __syncthreads();
    if (part != 0) return;
    for (int other = 1; other < finish_parts; ++other)
        for (int i = 0; i < N; ++i) sums[i] += shared[i * finish_threads + other * finish_columns + column];
    result(sums);
}

// The sum over the block's threads, for every thread. `shared` holds Threads doubles; calls may share it.
template <int Threads>
__device__ __forceinline__ double block_sum(double* shared, double value) {
    constexpr int slices = 16, length = Threads / slices;
    const int thread = int(threadIdx.x);
    __syncthreads();  // an earlier call may still be reading
    shared[thread] = value;
    __syncthreads();
    double total = 0;
    if (thread < slices)
        for (int i = 0; i < length; ++i) total += shared[i * slices + thread];
    __syncthreads();
    if (thread < slices) shared[thread] = total;
    __syncthreads();
    total = 0;
    for (int i = 0; i < slices; ++i) total += shared[i];
    return total;
}

}  // namespace atrous::gpu
