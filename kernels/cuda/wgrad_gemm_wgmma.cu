// Weight products by Hopper's tensor cores (sm_90a): the gradient of a convolution's weights, stride 1, bf16 or f16.
// gemm_wgmma.h says how the copies and the products go together.
//
// Grid: x = row tiles * taps * channel tiles (rows fastest, so that blocks that run together read the same source), z =
// splits. A block owns m output channels by n input channels of one tap, of one split's partial sums: 128x256, 128x128, 128x64
// or 64x128. Its depth are the outputs that the tap reads the source for, a rectangle of every image, by boxes of 64: the
// gradient's box and, moved by the tap's offset, the source's. Where boxes reach beyond the rectangle, one of the two is zeros;
// an infinity or NaN that the other has there makes the tap's sum NaN, which the padding would not.
// Both lie in memory as [pixel][channel], so neither operand has k innermost. Of 128 rows each warpgroup multiplies 64,
// of 64 rows each multiplies half of the columns. Shared memory: 193 KB (128x256), 97 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_wgmma.h"
#include "kernels/cuda/products_wgmma.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

struct Block {
    int row, channel, line, tap;       // first row and channel; the tap's place in the kernel
    Range h, w;                        // the outputs that it reads the source for
    int boxes_h, boxes_w, begin, end;  // of these outputs; this split's share
};

__device__ __forceinline__ Block open_block(const WeightProduct& p, int tile_rows, int tile_channels) {
    const int row_tiles = (p.rows + tile_rows - 1) / tile_rows, place = int(blockIdx.x) / row_tiles;
    const int taps = p.h.taps * p.w.taps;
    Block b;
    b.row = int(blockIdx.x) % row_tiles * tile_rows;
    b.channel = place / taps * tile_channels;
    b.line = place % taps / p.w.taps, b.tap = place % taps % p.w.taps;
    b.h = reading_outputs(p.h, b.line), b.w = reading_outputs(p.w, b.tap);
    b.boxes_h = (b.h.size() + p.box.h - 1) / p.box.h, b.boxes_w = (b.w.size() + p.box.w - 1) / p.box.w;
    const int count = b.boxes_h * b.boxes_w * p.boxes_n, share = (count + p.splits - 1) / p.splits;
    const int begin = int(blockIdx.z) * share;
    b.begin = begin < count ? begin : count;
    b.end = b.begin + share < count ? b.begin + share : count;
    return b;
}

// The producer's whole work.
template <class Tile>
__device__ __forceinline__ void load(const WeightProduct& p, WgmmaRing<Tile>& ring, const Block& b) {
    const int shift_w = p.w.origin + b.tap * p.w.step, shift_h = p.h.origin + b.line * p.h.step;
    for (int i = b.begin, step = 0; i < b.end; ++i, ++step) {
        const int w = b.w.begin + i % b.boxes_w * p.box.w, h = b.h.begin + i / b.boxes_w % b.boxes_h * p.box.h;
        const int n = i / b.boxes_w / b.boxes_h * p.box.n;
        ring.open(step, Tile::stage_bytes);
#pragma unroll
        for (int j = 0; j < Tile::m / 64; ++j) {
            const int at[4] = {b.row + j * 64, w, h, n};
            gpu::tma_load(p.gradient, at, ring.left(step) + j * wgmma_slab, ring.full_of(step));
        }
#pragma unroll
        for (int j = 0; j < Tile::n / 64; ++j) {
            const int at[4] = {b.channel + j * 64, w + shift_w, h + shift_h, n};
            gpu::tma_load(p.source, at, ring.right(step) + j * wgmma_slab, ring.full_of(step));
        }
    }
}

// A warpgroup's results, whose first is of `row` and `channel`, as pairs of neighbours.
template <int Columns>
__device__ __forceinline__ void store(const WeightProduct& p, const Block& b, const float (&sum)[Columns / 2], int row,
                                      int channel) {
    const int t = int(threadIdx.x) % 128, taps = p.h.taps * p.w.taps;
    row += t / 32 * 16 + t % 32 / 4, channel += t % 4 * 2;
    float* const out = p.out + int64_t(blockIdx.z) * p.rows * taps * p.channels +
                       int64_t(b.line * p.w.taps + b.tap) * p.channels + channel;
#pragma unroll
    for (int i = 0; i < Columns / 2; i += 2) {
        const int r = row + i / 2 % 2 * 8, c = i / 4 * 8;
        if (r >= p.rows || channel + c >= p.channels) continue;
        auto* const to = reinterpret_cast<gpu::Vec<float, 2>*>(out + int64_t(r) * taps * p.channels + c);
        gpu::Vec<float, 2> pair{sum[i], sum[i + 1]};
        if (p.accumulate) pair.v[0] += to->v[0], pair.v[1] += to->v[1];
        *to = pair;
    }
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks) wgrad_gemm(const __grid_constant__ WeightProduct p) {
    using gpu::Major;
    constexpr bool by_rows = Tile::m == 128;  // how the warpgroups share the tile
    constexpr int columns = by_rows ? Tile::n : Tile::n / 2;
    auto& ring = *gpu::dynamic_shared<WgmmaRing<Tile>>();
    ring.start();
    const Block b = open_block(p, Tile::m, Tile::n);
    if (threadIdx.x >= wgmma_consumers) {
        if (threadIdx.x == wgmma_consumers) load<Tile>(p, ring, b);
        return;
    }
    const int group = int(threadIdx.x) / 128, left = by_rows ? group : 0, right = by_rows ? 0 : group;
    float sum[columns / 2] = {};
    multiply<Tile, Major::mn, Major::mn, columns>(sum, ring, left * wgmma_slab, right * (columns / 64) * wgmma_slab,
                                                  b.end - b.begin);
    store<columns>(p, b, sum, b.row + left * 64, b.channel + right * columns);
}

// ---- launchers --------------------------------------------------------------------------------------------------

template <class Tile>
void launch_tile(Queue& q, const WeightProduct& p) {
    static_assert(rings_fit<Tile>);
    const int64_t blocks = ceil_div(p.rows, Tile::m) * p.h.taps * p.w.taps * ceil_div(p.channels, Tile::n);
    gpu::launch(wgrad_gemm<Tile>, dim3(unsigned(blocks), 1, unsigned(p.splits)), dim3(Tile::threads),
                sizeof(WgmmaRing<Tile>), q.stream(), p);
}

template <class T>
void launch(Queue& q, const WeightProduct& p, const TileSize& tile) {
    if (tile.rows == 64) return launch_tile<WgmmaTile<T, 64, 128>>(q, p);
    if (tile.columns == 256) return launch_tile<WgmmaTile<T, 128, 256>>(q, p);
    if (tile.columns == 128) return launch_tile<WgmmaTile<T, 128, 128>>(q, p);
    launch_tile<WgmmaTile<T, 128, 64>>(q, p);
}

}  // namespace

void wgrad_gemm_wgmma(Queue& q, const WeightProduct& p, DType dtype, const TileSize& tile) {
    dtype == DType::bf16 ? launch<bf16>(q, p, tile) : launch<f16>(q, p, tile);
}

}  // namespace atrous::kernels::cuda
