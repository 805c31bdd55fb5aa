// Pixel products on tensor cores (mma.sync, sm_80): bf16, f16 or floats rounded to TF32; depth and columns in multiples of
// 16 bytes, and aligned so.
//
// Grid: x = row tiles * column tiles (columns fastest), z = phases of a strided gradient. A block owns m rows (output
// pixels) by n columns (output channels): 128x128 by 8 warps, 128x64 or 64x64 by 4. The depth (live taps * channels)
// goes by in steps of 64 bytes through a ring of 4 stages; a chunk of 16 bytes of channels never straddles two taps.
// Results pass through the ring's memory as floats, so that they are rounded once and stored 16 bytes at a time.
// Shared memory: 4 * 64 * (m + n) bytes and a table of the rows (24 m bytes): 67 KB, 51 KB or 33.5 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_mma.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

// This thread's share of copying the rows: chunk `chunk` of several of them. Their places are in registers.
template <class T, class Tile>
struct SourceCopy {
    static constexpr int stride = Tile::threads / 4, passes = Tile::m / stride;
    int chunk, row;
    Row rows[passes];

    __device__ __forceinline__ explicit SourceCopy(const Row* table) : chunk(threadIdx.x % 4), row(threadIdx.x / 4) {
#pragma unroll
        for (int i = 0; i < passes; ++i) rows[i] = table[row + i * stride];
    }
    __device__ __forceinline__ void start(const ImplicitGemm& p, const PixelBlock& b, const DepthWalk& at,
                                          T* tile) const {
        const T* const data = static_cast<const T*>(p.source);
        const int64_t offset = at.source_offset(p, b);
#pragma unroll
        for (int i = 0; i < passes; ++i) {
            const bool hit = at.hits(rows[i], p, b);
            gpu::cp_async16(tile + deep_offset<T>(row + i * stride, chunk), data + (hit ? rows[i].from + offset : 0),
                            hit);
        }
    }
};

// The same for weights that are contiguous in depth: chunk `chunk` of several columns.
template <class T, class Tile>
__device__ __forceinline__ void copy_deep(const ImplicitGemm& p, const PixelBlock& b, const DepthWalk& at, T* tile) {
    constexpr int stride = Tile::threads / 4;
    const T* const data = static_cast<const T*>(p.weights);
    const int chunk = threadIdx.x % 4, line = threadIdx.x / 4;
    const int64_t offset = at.weight_offset(p, b);
#pragma unroll
    for (int i = 0; i < Tile::n / stride; ++i) {
        const int column = b.column + line + i * stride;
        const bool hit = column < p.columns && at.inside(b);
        gpu::cp_async16(tile + deep_offset<T>(line + i * stride, chunk),
                        data + (hit ? column * p.column_stride + offset : 0), hit);
    }
}

// And for weights that are contiguous in columns: one chunk of columns at several depths, which `at` walks.
template <class T, class Tile>
__device__ __forceinline__ void copy_wide(const ImplicitGemm& p, const PixelBlock& b, DepthWalk& at, T* tile) {
    constexpr int groups = Tile::n / Tile::chunk, stride = Tile::threads / groups;
    const T* const data = static_cast<const T*>(p.weights);
    const int chunk = threadIdx.x % groups, line = threadIdx.x / groups, column = b.column + chunk * Tile::chunk;
#pragma unroll
    for (int i = 0; i < Tile::k / stride; ++i) {
        const bool hit = column < p.columns && at.inside(b);
        gpu::cp_async16(tile + wide_offset<T, Tile::n>(line + i * stride, chunk),
                        data + (hit ? at.weight_offset(p, b) + column : 0), hit);
        at.advance(p, b, stride);
    }
}

// N neighbours of one row as floats, perhaps with the bias and what is there already, rounded and stored.
template <int N, class T>
__device__ __forceinline__ void write(const ImplicitGemm& p, T* to, int column, const float* from) {
    gpu::Vec<T, N> v{};
    if (p.accumulate) v = *reinterpret_cast<const gpu::Vec<T, N>*>(to);
#pragma unroll
    for (int j = 0; j < N; ++j) {
        const float old = p.accumulate ? gpu::device_float(v.v[j]) : 0.0f;
        v.v[j] = gpu::device_round<T>(from[j] + (p.bias ? p.bias[column + j] : 0.0f) + old);
    }
    *reinterpret_cast<gpu::Vec<T, N>*>(to) = v;
}

template <class T, class Tile, bool deep>
__global__ void __launch_bounds__(Tile::threads) implicit_gemm(ImplicitGemm p) {
    T* const ring = gpu::dynamic_shared<T>();
    Row* const table = reinterpret_cast<Row*>(ring + Tile::stages * Tile::stage);
    const PixelBlock b = open_block(p, table, Tile::m, Tile::n);
    __syncthreads();

    const SourceCopy<T, Tile> source(table);
    DepthWalk at(p, b, source.chunk * Tile::chunk);
    DepthWalk line(p, b, deep ? 0 : int(threadIdx.x) / (Tile::n / Tile::chunk));
    typename Tile::Sum sum = {};
    multiply<Tile, true, deep>(sum, ring, (b.depth + Tile::k - 1) / Tile::k, [&](T* rows, T* columns) {
        source.start(p, b, at, rows);
        if (deep)
            copy_deep<T, Tile>(p, b, at, columns);
        else
            copy_wide<T, Tile>(p, b, line, columns);
        at.advance(p, b, Tile::k);
    });

    float* const staged = reinterpret_cast<float*>(ring);
    static_assert(Tile::m * Tile::n * sizeof(float) <= Tile::ring_bytes);
    for_each_pair<Tile>(sum, [&](int row, int column, gpu::Vec<float, 2> pair) {
        *reinterpret_cast<gpu::Vec<float, 2>*>(staged + row * Tile::n + (column ^ (row & 3) * 8)) = pair;
    });
    __syncthreads();
    constexpr int groups = Tile::n / Tile::chunk;
    for (int i = threadIdx.x; i < Tile::m * groups; i += Tile::threads) {
        const int row = i / groups, column = i % groups * Tile::chunk, out_column = b.column + column;
        if (b.first + row < b.rows && out_column < p.columns)
            write<Tile::chunk>(p, static_cast<T*>(p.out) + table[row].to + out_column, out_column,
                               staged + row * Tile::n + (column ^ (row & 3) * 8));
    }
}

// ---- launchers --------------------------------------------------------------------------------------------------

constexpr int64_t enough_blocks = 264;  // two for each multiprocessor of an H100

struct Extent {
    int64_t rows, phases;
    int64_t tiles(const ImplicitGemm& p, int m, int n) const { return ceil_div(rows, m) * ceil_div(p.columns, n); }
};

template <class T, class Tile>
void launch_tile(Queue& q, const ImplicitGemm& p, const Extent& e) {
    const dim3 grid(unsigned(e.tiles(p, Tile::m, Tile::n)), 1, unsigned(e.phases));
    const size_t smem_bytes = Tile::ring_bytes + Tile::m * sizeof(Row);
    const bool deep = p.channel_stride == 1;
    gpu::launch(deep ? implicit_gemm<T, Tile, true> : implicit_gemm<T, Tile, false>, grid, dim3(Tile::threads),
                smem_bytes, q.stream(), p);
}

template <class T>
void launch(Queue& q, const ImplicitGemm& p) {
    const Extent e{p.images * ceil_div(p.h.size, p.h.transposed ? p.h.stride : 1) *
                       ceil_div(p.w.size, p.w.transposed ? p.w.stride : 1),
                   p.h.phases() * p.w.phases()};
    if (p.columns > 64 && e.tiles(p, 128, 128) * e.phases >= enough_blocks)
        return launch_tile<T, MmaTile<T, 128, 128, 2, 4>>(q, p, e);
    if (e.tiles(p, 128, 64) * e.phases >= enough_blocks) return launch_tile<T, MmaTile<T, 128, 64, 2, 2>>(q, p, e);
    launch_tile<T, MmaTile<T, 64, 64, 2, 2>>(q, p, e);
}

}  // namespace

void implicit_gemm_mma(Queue& q, const ImplicitGemm& p, DType dtype) {
    dispatch_gpu("convolution", dtype, [&](auto zero) { launch<decltype(zero)>(q, p); });
}

}  // namespace atrous::kernels::cuda
