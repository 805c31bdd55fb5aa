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
    static constexpr int blocks = m == 128 && n == 128 ? 2 : 4;  // on a multiprocessor of an H100
    using Sum = float[warp_m / 16][warp_n / 8][4];

    static __device__ __forceinline__ int row() { return int(threadIdx.x) / 32 % WarpsM * warp_m; }
    static __device__ __forceinline__ int column() { return int(threadIdx.x) / 32 / WarpsM * warp_n; }
};

// Whether a multiprocessor of an H100 has shared memory for Tile::blocks that take `bytes` each: 228 KB, of which a block
// costs one more. Whether it has registers for them, tests/gpu/kernels show.
template <class Tile>
constexpr bool blocks_fit(size_t bytes) {
    return Tile::blocks * (bytes + 1024) <= 228 * 1024;
}

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

// x itself, made such that the compiler holds it in a register, instead of computing it anew in each step.
__device__ __forceinline__ int kept(int x) { return __shfl_sync(~0u, x, int(threadIdx.x) % 32); }

// What a fragment holds as the product takes it.
template <class T>
__device__ __forceinline__ void round_fragment(uint32_t (&f)[4]) {
    if constexpr (std::is_same_v<T, float>) {
#pragma unroll
        for (int i = 0; i < 4; ++i) f[i] = gpu::round_tf32(f[i]);
    }
}

// Where a lane reads its fragments of one factor: the left one's are 16 rows by two chunks of depth, the right one's 16
// columns by two chunks. What depends on the lane is computed once; the rest are constants.
template <class Tile, bool left, bool deep>
class FragmentReader {
    using T = typename Tile::Element;
    static constexpr int width = left ? Tile::m : Tile::n;
    int offset[deep ? 2 : 4];

 public:
    __device__ __forceinline__ FragmentReader() {
        const int lane = threadIdx.x % 32, first = left ? Tile::row() : Tile::column();
#pragma unroll
        for (int i = 0; i < (deep ? 2 : 4); ++i) {
            if constexpr (deep) {  // of chunk 2 i
                const int row = first + (left ? lane % 16 : lane % 8 + lane / 16 * 8);
                offset[i] = deep_offset<T>(row, 2 * i + (left ? lane / 16 : lane / 8 % 2));
            } else if constexpr (sizeof(T) == 2) {  // of fragment i
                const int k = left ? lane % 8 + lane / 16 * 8 : lane % 16;
                offset[i] = wide_offset<T, width>(k, first / 8 + (left ? lane / 8 % 2 : lane / 16) + 2 * i);
            } else {  // of half i % 2 of even or odd fragments
                const int row = first + lane / 4 + i % 2 * 8 + i / 2 * 16;
                offset[i] = wide_offset<T, width>(lane % 4, row / 4) + row % 4;
            }
            offset[i] = kept(offset[i]);
        }
    }
    // Fragment i, from `chunk` (0 or 2) on.
    __device__ __forceinline__ void read(uint32_t (&f)[4], const T* tile, int i, int chunk) const {
        if constexpr (deep) {
            gpu::ldmatrix_x4(f, tile + offset[chunk / 2] + i * 64 * Tile::chunk);
        } else if constexpr (sizeof(T) == 2) {
            gpu::ldmatrix_x4_trans(f, tile + offset[i] + chunk * 8 * width);
        } else {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int half = left ? e % 2 : e / 2, depth = chunk * 4 + (left ? e / 2 : e % 2) * 4;
                f[e] = __float_as_uint(tile[offset[i % 2 * 2 + half] + i / 2 * 32 + depth * width]);
            }
        }
        round_fragment<T>(f);
    }
};

template <class T>
__device__ __forceinline__ void multiply_fragments(float (&sum)[4], const uint32_t (&u)[4], uint32_t v0, uint32_t v1) {
    if constexpr (std::is_same_v<T, float>)
        gpu::mma_m16n8k8_tf32(sum, u, v0, v1);
    else
        gpu::mma_m16n8k16<T>(sum, u, v0, v1);
}

// The fragments of both factors that a warp multiplies at once.
template <class Tile>
struct Fragments {
    static constexpr int rows = Tile::warp_m / 16, pairs = Tile::warp_n / 16;
    uint32_t u[rows][4], v[pairs][4];

    template <class Left, class Right, class T>
    __device__ __forceinline__ void read(const Left& left, const Right& right, const T* stage, int chunk) {
#pragma unroll
        for (int i = 0; i < rows; ++i) left.read(u[i], stage, i, chunk);
#pragma unroll
        for (int j = 0; j < pairs; ++j) right.read(v[j], stage + Tile::k * Tile::m, j, chunk);
    }
    __device__ __forceinline__ void multiply(typename Tile::Sum& sum) const {
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
            for (int j = 0; j < 2 * pairs; ++j)
                multiply_fragments<typename Tile::Element>(sum[i][j], u[i], v[j / 2][j % 2 * 2],
                                                           v[j / 2][j % 2 * 2 + 1]);
    }
};

// Runs `steps` steps; load(a, b) starts this thread's copies of the next step. Halves' fragments are read while those
// before them are multiplied; of floats, which are rounded first, there are too many for that. Leaves no copy in flight and
// the ring free.
template <class Tile, bool a_deep, bool b_deep, class T, class Load>
__device__ __forceinline__ void multiply(typename Tile::Sum& sum, T* ring, int steps, Load load) {
    static_assert((Tile::stages & (Tile::stages - 1)) == 0, "a stage's index is the step's last bits");
    constexpr bool ahead = sizeof(T) == 2;
    const FragmentReader<Tile, true, a_deep> left;
    const FragmentReader<Tile, false, b_deep> right;
    auto stage = [&](int t) { return ring + (t & (Tile::stages - 1)) * Tile::stage; };
    auto start = [&](int t) {
        if (t < steps) load(stage(t), stage(t) + Tile::k * Tile::m);
        gpu::cp_async_commit();  // empty groups keep the count of groups that the wait relies on
    };
    auto land = [&] {
        gpu::cp_async_wait<Tile::stages - 2>();
        __syncthreads();  // the next step has landed for everyone, and everyone has read the one before
    };
    for (int t = 0; t < Tile::stages - 1; ++t) start(t);
    Fragments<Tile> even, odd;
    if constexpr (ahead) land();
    if (ahead && steps > 0) even.read(left, right, stage(0), 0);
    for (int t = 0; t < steps; ++t) {
        if constexpr (!ahead) {
            land();
            even.read(left, right, stage(t), 0);
        }
        if constexpr (ahead) odd.read(left, right, stage(t), 2);
        start(t + Tile::stages - 1);
        even.multiply(sum);
        if constexpr (ahead) {
            land();
            if (t + 1 < steps) even.read(left, right, stage(t + 1), 0);
        } else {
            odd.read(left, right, stage(t), 2);
        }
        odd.multiply(sum);
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
