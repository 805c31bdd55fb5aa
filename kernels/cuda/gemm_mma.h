// The arithmetic that the tensor-core products share: tiles of bf16, f16 or float elements in shared memory, copied by
// cp.async through a ring of stages, multiplied by mma.sync into float fragments; floats are rounded to TF32 on the way.
//
// A factor's tile is `deep` where neighbours in memory are neighbours in depth ([row][depth], 64 bytes a row), else wide
// ([depth][row]). Either way its 16-byte chunks are permuted within groups so that what a warp reads at once lies in
// different banks: the eight rows of an ldmatrix, or of a wide tile of floats, which ldmatrix cannot transpose, eight
// neighbours at four depths.
#pragma once

#include <platform/async.h>
#include <platform/mma.h>

#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

// An m by n tile of results, 64 bytes of depth at a time, by warps of warp_m by warp_n each.
template <class T, int M, int N, int WarpsM, int WarpsN>
struct MmaTile {
    using Element = T;
    static constexpr int chunk = 16 / sizeof(T);  // elements of a copy
    static constexpr int m = M, n = N, k = 4 * chunk, stages = 4;
    static constexpr int threads = 32 * WarpsM * WarpsN;
    static constexpr int warp_m = M / WarpsM, warp_n = N / WarpsN;
    static constexpr int stage = k * (M + N);  // elements: a, then b
    static constexpr size_t ring_bytes = stages * stage * sizeof(T);
    using Sum = float[warp_m / 16][warp_n / 8][4];

    static __device__ __forceinline__ int row() { return int(threadIdx.x) / 32 % WarpsM * warp_m; }
    static __device__ __forceinline__ int column() { return int(threadIdx.x) / 32 / WarpsM * warp_n; }
};

// Element offset of chunk `chunk` of a tile's row (deep) or depth (wide, `width` elements).
template <class T>
__device__ __forceinline__ int deep_offset(int row, int chunk) {
    constexpr int size = 16 / sizeof(T);
    return row * 4 * size + ((chunk ^ (row >> 1 & 3)) * size);
}
template <class T, int width>
__device__ __forceinline__ int wide_offset(int k, int chunk) {
    constexpr int size = 16 / sizeof(T);
    return k * width + ((chunk ^ (size == 8 ? k & 7 : 2 * (k & 3))) * size);
}

// The float at `row` and depth k of a wide tile.
template <int width>
__device__ __forceinline__ uint32_t wide_float(const float* tile, int k, int row) {
    return __float_as_uint(tile[wide_offset<float, width>(k, row / 4) + row % 4]);
}

// What a fragment holds as the product takes it.
template <class T>
__device__ __forceinline__ void round_fragment(uint32_t (&f)[4]) {
    if constexpr (std::is_same_v<T, float>) {
#pragma unroll
        for (int i = 0; i < 4; ++i) f[i] = gpu::round_tf32(f[i]);
    }
}

// A fragment of the left factor: 16 rows from `row` on, two chunks of depth from `chunk` on.
template <class T, int width, bool deep>
__device__ __forceinline__ void load_left(uint32_t (&f)[4], const T* tile, int row, int chunk) {
    const int lane = threadIdx.x % 32;
    if constexpr (deep) {
        gpu::ldmatrix_x4(f, tile + deep_offset<T>(row + lane % 16, chunk + lane / 16));
    } else if constexpr (sizeof(T) == 2) {
        const int k = chunk * 8 + lane % 8 + lane / 16 * 8;
        gpu::ldmatrix_x4_trans(f, tile + wide_offset<T, width>(k, row / 8 + lane / 8 % 2));
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            f[i] = wide_float<width>(tile, chunk * 4 + lane % 4 + i / 2 * 4, row + lane / 4 + i % 2 * 8);
    }
    round_fragment<T>(f);
}

// Two fragments of the right factor: 8 columns from `column` on and the 8 behind them, two chunks of depth.
template <class T, int width, bool deep>
__device__ __forceinline__ void load_right(uint32_t (&f)[4], const T* tile, int column, int chunk) {
    const int lane = threadIdx.x % 32;
    if constexpr (deep) {
        gpu::ldmatrix_x4(f, tile + deep_offset<T>(column + lane % 8 + lane / 16 * 8, chunk + lane / 8 % 2));
    } else if constexpr (sizeof(T) == 2) {
        gpu::ldmatrix_x4_trans(f, tile + wide_offset<T, width>(chunk * 8 + lane % 16, column / 8 + lane / 16));
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            f[i] = wide_float<width>(tile, chunk * 4 + lane % 4 + i % 2 * 4, column + lane / 4 + i / 2 * 8);
    }
    round_fragment<T>(f);
}

template <class T>
__device__ __forceinline__ void multiply_fragments(float (&sum)[4], const uint32_t (&u)[4], uint32_t v0, uint32_t v1) {
    if constexpr (std::is_same_v<T, float>)
        gpu::mma_m16n8k8_tf32(sum, u, v0, v1);
    else
        gpu::mma_m16n8k16<T>(sum, u, v0, v1);
}

template <class Tile, bool a_deep, bool b_deep, class T>
__device__ __forceinline__ void multiply_stage(typename Tile::Sum& sum, const T* a, const T* b) {
    constexpr int rows = Tile::warp_m / 16, pairs = Tile::warp_n / 16;
    const int row = Tile::row(), column = Tile::column();
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {
        uint32_t u[rows][4], v[pairs][4];
#pragma unroll
        for (int i = 0; i < rows; ++i) load_left<T, Tile::m, a_deep>(u[i], a, row + i * 16, chunk);
#pragma unroll
        for (int j = 0; j < pairs; ++j) load_right<T, Tile::n, b_deep>(v[j], b, column + j * 16, chunk);
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
            for (int j = 0; j < 2 * pairs; ++j)
                multiply_fragments<T>(sum[i][j], u[i], v[j / 2][j % 2 * 2], v[j / 2][j % 2 * 2 + 1]);
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
