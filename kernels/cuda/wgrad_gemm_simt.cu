// Weight products in plain arithmetic: any element type, any channel count, any geometry.
//
// Grid: x = row tiles * column tiles (columns fastest), z = splits of the pixels. A block owns m rows (output channels)
// by n columns (tap, input channel) of one split's partial sums; a thread tm by tn of them. Pixels go by k at a time
// through two buffers, so that a step costs one barrier: the next step is read into registers meanwhile.
// Shared memory: 2 * k * (m + n + 8) floats: 17 KB (64x64, k 16), 22 KB (16x64, k 32) or 20 KB (8x64, k 32).
#include "base/dispatch.h"
#include "kernels/cuda/gemm_simt.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

using Wide = SimtTile<64, 64, 16, 8, 4>;
using Narrow = SimtTile<16, 64, 32, 4, 4>;  // few output channels
using Slim = SimtTile<8, 64, 32, 4, 2>;

// k pixels of `columns` columns of a factor, `W` neighbours at a time; a thread keeps its columns and visits the
// pixels.
template <class T, class Tile, int columns, int W>
struct FactorTile {
    static constexpr int groups = columns / W, stride = Tile::threads / groups, passes = Tile::k / stride;
    int group, line;
    OperandColumn column;
    PixelWalk at;
    float next[passes][W] = {};

    __device__ __forceinline__ FactorTile(const GemmOperand& f, const PixelRange& x, int first)
        : group(threadIdx.x % groups), line(threadIdx.x / groups), column(f, x, first + group * W), at(x, line) {}
    __device__ __forceinline__ void fetch(const GemmOperand& f, const PixelRange& x) {
#pragma unroll
        for (int i = 0; i < passes; ++i) {
            int64_t offset;
            gpu::Vec<T, W> v{};
            const bool hit = column.locate(f, x, at, offset);
            if (hit) v = *reinterpret_cast<const gpu::Vec<T, W>*>(static_cast<const T*>(f.data) + offset);
#pragma unroll
            for (int j = 0; j < W; ++j) next[i][j] = hit ? gpu::device_float(v.v[j]) : 0.0f;
            at.advance(x, stride);
        }
    }
    __device__ __forceinline__ void store(float* tile) const {
#pragma unroll
        for (int i = 0; i < passes; ++i)
#pragma unroll
            for (int j = 0; j < W; ++j) tile[(line + i * stride) * (columns + 4) + group * W + j] = next[i][j];
    }
};

template <class T, class Tile, int W>
__global__ void __launch_bounds__(Tile::threads) wgrad_gemm(WgradGemm p) {
    float* const tiles = gpu::dynamic_shared<float>();
    const WeightBlock b = open_block(p, Tile::m, Tile::n, Tile::k);
    float sum[Tile::tm][Tile::tn] = {};
    FactorTile<T, Tile, Tile::m, W> left(p.a, b.pixels, b.row);
    FactorTile<T, Tile, Tile::n, W> right(p.b, b.pixels, b.column);

    const int steps = (b.pixels.end - b.pixels.begin + Tile::k - 1) / Tile::k;
    for (int t = -1; t < steps; ++t) {
        const bool more = t + 1 < steps;
        if (more) left.fetch(p.a, b.pixels), right.fetch(p.b, b.pixels);
        if (t >= 0) Tile::multiply(sum, tiles + (t & 1) * Tile::buffer);
        float* const then = tiles + ((t + 1) & 1) * Tile::buffer;
        if (more) left.store(then), right.store(then + Tile::k * Tile::a_pitch);
        __syncthreads();
    }

    float* const out = p.out + int64_t(blockIdx.z) * p.a.columns * p.b.columns;
    using Row = gpu::Vec<float, Tile::tn>;
    const int c = b.column + Tile::column();
    const bool whole =
        W > 1 && c + Tile::tn <= p.b.columns && p.b.columns % Tile::tn == 0 && uintptr_t(out) % sizeof(Row) == 0;
#pragma unroll
    for (int i = 0; i < Tile::tm; ++i) {
        const int r = b.row + Tile::row() + i;
        if (r >= p.a.columns) continue;
        float* const to = out + int64_t(r) * p.b.columns + c;
        if (whole) {
            Row row{};
            if (p.accumulate) row = *reinterpret_cast<const Row*>(to);
#pragma unroll
            for (int j = 0; j < Tile::tn; ++j) row.v[j] = p.accumulate ? row.v[j] + sum[i][j] : sum[i][j];
            *reinterpret_cast<Row*>(to) = row;
            continue;
        }
#pragma unroll
        for (int j = 0; j < Tile::tn; ++j)
            if (c + j < p.b.columns) to[j] = p.accumulate ? to[j] + sum[i][j] : sum[i][j];
    }
}

// ---- launchers --------------------------------------------------------------------------------------------------

template <class T, class Tile, int W>
void launch_tile(Queue& q, const WgradGemm& p) {
    const int64_t blocks = ceil_div(p.a.columns, Tile::m) * ceil_div(p.b.columns, Tile::n);
    gpu::launch(wgrad_gemm<T, Tile, W>, dim3(unsigned(blocks), 1, unsigned(p.splits)), dim3(Tile::threads),
                2 * Tile::buffer * sizeof(float), q.stream(), p);
}

// f(the tile for p).
template <class F>
auto with_tile(const WgradGemm& p, F f) {
    if (p.a.columns <= 8) return f(Slim());
    if (p.a.columns <= 16) return f(Narrow());
    return f(Wide());
}

}  // namespace

TileSize weight_tile_simt(const WgradGemm& p) {
    return with_tile(p, [](auto tile) { return TileSize{tile.m, tile.n, tile.k, 2}; });
}

void wgrad_gemm_simt(Queue& q, const WgradGemm& p, DType dtype, bool vector) {
    dispatch_gpu("convolution", dtype, [&](auto zero) {
        with_tile(p, [&](auto tile) {
            using T = decltype(zero);
            using Tile = decltype(tile);
            vector ? launch_tile<T, Tile, 4>(q, p) : launch_tile<T, Tile, 1>(q, p);
        });
    });
}

}  // namespace atrous::kernels::cuda
