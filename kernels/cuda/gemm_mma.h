// The arithmetic that the tensor-core products share: tiles of 16-bit elements in shared memory, copied by cp.async
// through a ring of stages, multiplied by mma.sync into float fragments.
//
// A factor's tile is `deep` where neighbours in memory are neighbours in depth ([row][32], 64 bytes a row), else wide
// ([32][row]). Either way its 16-byte chunks are permuted within groups so that the eight rows which one ldmatrix reads
// lie in different banks.
#pragma once

#include <platform/async.h>
#include <platform/mma.h>

#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

// An m by n tile of results, 32 deep at a time, by warps of warp_m by warp_n each.
template <int M, int N, int WarpsM, int WarpsN>
struct MmaTile {
    static constexpr int m = M, n = N, k = 32, stages = 4;
    static constexpr int threads = 32 * WarpsM * WarpsN;
    static constexpr int warp_m = M / WarpsM, warp_n = N / WarpsN;
    static constexpr int stage = k * (M + N);  // elements: a, then b
    static constexpr size_t ring_bytes = stages * stage * 2;
    using Sum = float[warp_m / 16][warp_n / 8][4];

    static __device__ __forceinline__ int row() { return int(threadIdx.x) / 32 % WarpsM * warp_m; }
    static __device__ __forceinline__ int column() { return int(threadIdx.x) / 32 / WarpsM * warp_n; }
};

// Element offset of chunk `chunk` (8 elements) of a tile's row (deep) or depth (wide, `width` elements).
__device__ __forceinline__ int deep_offset(int row, int chunk) { return row * 32 + ((chunk ^ (row >> 1 & 3)) * 8); }
template <int width>
__device__ __forceinline__ int wide_offset(int k, int chunk) {
    return k * width + ((chunk ^ (k & 7)) * 8);
}

template <class Tile, bool a_deep, bool b_deep, class T>
__device__ __forceinline__ void multiply_stage(typename Tile::Sum& sum, const T* a, const T* b) {
    constexpr int rows = Tile::warp_m / 16, pairs = Tile::warp_n / 16;
    const int lane = threadIdx.x % 32, row = Tile::row(), column = Tile::column();
    const int low = lane % 16, high = lane / 16, eighth = lane % 8 + lane / 16 * 8, second = lane / 8 % 2;
#pragma unroll
    for (int k = 0; k < Tile::k; k += 16) {
        uint32_t u[rows][4], v[pairs][4];
#pragma unroll
        for (int i = 0; i < rows; ++i) {
            const int r = row + i * 16;
            if (a_deep)
                gpu::ldmatrix_x4(u[i], a + deep_offset(r + low, k / 8 + high));
            else
                gpu::ldmatrix_x4_trans(u[i], a + wide_offset<Tile::m>(k + eighth, r / 8 + second));
        }
#pragma unroll
        for (int j = 0; j < pairs; ++j) {
            const int c = column + j * 16;
            if (b_deep)
                gpu::ldmatrix_x4(v[j], b + deep_offset(c + eighth, k / 8 + second));
            else
                gpu::ldmatrix_x4_trans(v[j], b + wide_offset<Tile::n>(k + low, c / 8 + high));
        }
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
            for (int j = 0; j < 2 * pairs; ++j)
                gpu::mma_m16n8k16<T>(sum[i][j], u[i], v[j / 2][j % 2 * 2], v[j / 2][j % 2 * 2 + 1]);
    }
}

// Runs `steps` steps; load(a, b) starts this thread's copies of the next step. Leaves no copy in flight and the ring
// free.
template <class Tile, bool a_deep, bool b_deep, class T, class Load>
__device__ __forceinline__ void multiply(typename Tile::Sum& sum, T* ring, int steps, Load load) {
    auto start = [&](int t) {
        T* const a = ring + t % Tile::stages * Tile::stage;
        if (t < steps) load(a, a + Tile::k * Tile::m);
        gpu::cp_async_commit();  // empty groups keep the count of groups that the wait relies on
    };
    for (int t = 0; t < Tile::stages - 1; ++t) start(t);
    for (int t = 0; t < steps; ++t) {
        gpu::cp_async_wait<Tile::stages - 2>();
        __syncthreads();  // step t has landed for everyone, and everyone is done with step t - 1, whose stage is next
        start(t + Tile::stages - 1);
        const T* const a = ring + t % Tile::stages * Tile::stage;
        multiply_stage<Tile, a_deep, b_deep>(sum, a, a + Tile::k * Tile::m);
    }
    gpu::cp_async_wait<0>();
    __syncthreads();
}

// Calls visit(row, column, two neighbouring results) for each pair of a thread's fragments.
template <class Tile, class Visit>
__device__ __forceinline__ void for_each_pair(const typename Tile::Sum& sum, Visit visit) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Tile::warp_m / 16; ++i)
#pragma unroll
        for (int j = 0; j < Tile::warp_n / 8; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                visit(Tile::row() + i * 16 + lane / 4 + 8 * half, Tile::column() + j * 8 + lane % 4 * 2,
                      gpu::Vec<float, 2>{sum[i][j][half * 2], sum[i][j][half * 2 + 1]});
}

}  // namespace atrous::kernels::cuda
