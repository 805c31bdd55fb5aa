// Pixel products in plain arithmetic: any element type, any channel count, any geometry.
//
// Grid: x = row tiles * phases of a strided gradient * column tiles, columns fastest. A block owns m rows (output
// pixels) by n columns (output channels); a thread tm by tn of them. The depth (live taps * channels) goes by in steps
// of 16 through two buffers, so that a step costs one barrier: the next step is read into registers meanwhile.
// Tiles are 64x64, and 128x32, 128x16 or 256x8 where there are few channels.
// Shared memory: a table of the rows (24 m bytes) and 2 * 16 * (m + n + 8) floats: 18.5, 24, 22 or 40 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_simt.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

// The rows of a tile, `W` neighbouring channels at a time. A thread keeps its place in the depth and visits several
// rows.
template <class T, class Tile, int W>
struct SourceTile {
    static constexpr int groups = Tile::k / W, stride = Tile::threads / groups, passes = Tile::m / stride;
    const Row* table;
    int group, row;
    DepthWalk at;
    float next[passes][W] = {};

    __device__ __forceinline__ SourceTile(const ImplicitGemm& p, const PixelBlock& b, const Row* rows)
        : table(rows), group(threadIdx.x % groups), row(threadIdx.x / groups), at(p, b, group * W) {}
    __device__ __forceinline__ void fetch(const ImplicitGemm& p, const PixelBlock& b) {
        const T* const from = static_cast<const T*>(p.source) + at.source_offset(p, b);
#pragma unroll
        for (int i = 0; i < passes; ++i) {
            const Row& r = table[row + i * stride];
            gpu::Vec<T, W> v{};
            const bool hit = at.hits(r, p, b);
            if (hit) v = *reinterpret_cast<const gpu::Vec<T, W>*>(from + r.from);
#pragma unroll
            for (int j = 0; j < W; ++j) next[i][j] = hit ? gpu::device_float(v.v[j]) : 0.0f;
        }
        at.advance(p, b, Tile::k);
    }
    __device__ __forceinline__ void store(float* tile) const {
#pragma unroll
        for (int i = 0; i < passes; ++i)
#pragma unroll
            for (int j = 0; j < W; ++j) tile[(group * W + j) * Tile::a_pitch + row + i * stride] = next[i][j];
    }
};

// The weights of a tile's columns. `deep`: neighbours in memory are neighbours in depth, else in column.
template <class T, class Tile, int W, bool deep>
struct WeightTile {
    static constexpr int groups = (deep ? Tile::k : Tile::n) / W;  // of neighbours, along
    static constexpr int lines = deep ? Tile::n : Tile::k;         // across
    static constexpr int stride = Tile::threads / groups < lines ? Tile::threads / groups : lines;
    static constexpr int passes = lines / stride;
    int group, line;
    bool active;
    DepthWalk at;
    float next[passes][W] = {};

    __device__ __forceinline__ WeightTile(const ImplicitGemm& p, const PixelBlock& b)
        : group(threadIdx.x % groups),
          line(threadIdx.x / groups),
          active(line < stride),
          at(p, b, deep ? group * W : line) {}
    __device__ __forceinline__ void fetch(const ImplicitGemm& p, const PixelBlock& b) {
#pragma unroll
        for (int i = 0; i < passes; ++i) {
            const int column = b.column + (deep ? line + i * stride : group * W);
            const T* const from = static_cast<const T*>(p.weights) + at.weight_offset(p, b) + column * p.column_stride;
            gpu::Vec<T, W> v{};
            const bool hit = active && column < p.columns && at.inside(b);
            if (hit) v = *reinterpret_cast<const gpu::Vec<T, W>*>(from);
#pragma unroll
            for (int j = 0; j < W; ++j) next[i][j] = hit ? gpu::device_float(v.v[j]) : 0.0f;
            if (!deep) at.advance(p, b, stride);
        }
        if (deep) at.advance(p, b, Tile::k);
    }
    __device__ __forceinline__ void store(float* tile) const {
        if (!active) return;
#pragma unroll
        for (int i = 0; i < passes; ++i)
#pragma unroll
            for (int j = 0; j < W; ++j) {
                const int along = group * W + j, across = line + i * stride;
                tile[deep ? along * Tile::b_pitch + across : across * Tile::b_pitch + along] = next[i][j];
            }
    }
};

// One row of a thread's results.
template <class T, int N>
__device__ __forceinline__ void write(const ImplicitGemm& p, T* to, int column, const float (&sum)[N]) {
    gpu::Vec<T, N> v{};
    const bool whole = p.vector_out && column + N <= p.columns;
    if (whole && p.accumulate) v = *reinterpret_cast<const gpu::Vec<T, N>*>(to);
#pragma unroll
    for (int j = 0; j < N; ++j) {
        if (column + j >= p.columns) continue;
        if (!whole && p.accumulate) v.v[j] = to[j];
        const float old = p.accumulate ? gpu::device_float(v.v[j]) : 0.0f;
        v.v[j] = gpu::device_round<T>(sum[j] + (p.bias ? p.bias[column + j] : 0.0f) + old);
        if (!whole) to[j] = v.v[j];
    }
    if (whole) *reinterpret_cast<gpu::Vec<T, N>*>(to) = v;
}

template <class T, class Tile, int W, bool deep>
__global__ void __launch_bounds__(Tile::threads) implicit_gemm(ImplicitGemm p) {
    Row* const table = gpu::dynamic_shared<Row>();
    float* const tiles = reinterpret_cast<float*>(table + Tile::m);
    const PixelBlock b = open_block(p, Tile::m, Tile::n);
    for (int i = threadIdx.x; i < Tile::m; i += Tile::threads) table[i] = row_of(p, b, b.first + i);
    float sum[Tile::tm][Tile::tn] = {};
    SourceTile<T, Tile, W> source(p, b, table);
    WeightTile<T, Tile, W, deep> weights(p, b);
    __syncthreads();  // the table

    const int steps = (b.depth + Tile::k - 1) / Tile::k;
    for (int t = -1; t < steps; ++t) {
        const bool more = t + 1 < steps;
        if (more) source.fetch(p, b), weights.fetch(p, b);
        if (t >= 0) Tile::multiply(sum, tiles + (t & 1) * Tile::buffer);
        float* const then = tiles + ((t + 1) & 1) * Tile::buffer;
        if (more) source.store(then), weights.store(then + Tile::k * Tile::a_pitch);
        __syncthreads();
    }

    const int row = Tile::row(), column = b.column + Tile::column();
#pragma unroll
    for (int i = 0; i < Tile::tm; ++i)
        if (b.first + row + i < b.rows && column < p.columns)
            write<T>(p, static_cast<T*>(p.out) + table[row + i].to + column, column, sum[i]);
}

// ---- launchers --------------------------------------------------------------------------------------------------

template <class T, class Tile, int W, bool deep>
void launch_tile(Queue& q, const ImplicitGemm& p) {
    const int64_t rows = p.images * ceil_div(p.h.size, p.h.transposed ? p.h.stride : 1) *
                         ceil_div(p.w.size, p.w.transposed ? p.w.stride : 1);
    const int64_t phases = p.h.phases() * p.w.phases();
    const int64_t blocks = ceil_div(rows, Tile::m) * phases * ceil_div(p.columns, Tile::n);
    gpu::launch(implicit_gemm<T, Tile, W, deep>, dim3(unsigned(blocks)), dim3(Tile::threads),
                Tile::m * sizeof(Row) + 2 * Tile::buffer * sizeof(float), q.stream(), p);
}

template <class T, int W, bool deep>
void launch_columns(Queue& q, const ImplicitGemm& p) {
    if (p.columns <= 8) return launch_tile<T, SimtTile<256, 8, 16, 4, 4>, W, deep>(q, p);
    if (p.columns <= 16) return launch_tile<T, SimtTile<128, 16, 16, 4, 4>, W, deep>(q, p);
    if (p.columns <= 32) return launch_tile<T, SimtTile<128, 32, 16, 8, 4>, W, deep>(q, p);
    return launch_tile<T, SimtTile<64, 64, 16, 8, 4>, W, deep>(q, p);
}

}  // namespace

void implicit_gemm_simt(Queue& q, const ImplicitGemm& p, DType dtype, bool vector) {
    const bool deep = p.channel_stride == 1;
    dispatch_gpu("convolution", dtype, [&](auto zero) {
        using T = decltype(zero);
        if (vector) return deep ? launch_columns<T, 4, true>(q, p) : launch_columns<T, 4, false>(q, p);
        return deep ? launch_columns<T, 1, true>(q, p) : launch_columns<T, 1, false>(q, p);
    });
}

}  // namespace atrous::kernels::cuda
