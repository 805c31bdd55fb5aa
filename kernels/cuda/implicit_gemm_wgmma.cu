// Pixel products by Hopper's tensor cores (sm_90a): forward and input gradient, stride 1, bf16 or f16. gemm_wgmma.h says how
// the copies and the products go together.
//
// Grid: x = pixel boxes * column tiles (columns fastest, then boxes along w, h, images). A block owns 128 output pixels, a
// box {w, h, images}, by 256, 128 or 64 output channels. Its depth is (64 channels, live tap): the taps of one group of
// channels follow each other, so that blocks that run together read the same part of the tensor, which the L2 holds.
// Left of a product are source pixels, k innermost. Right of it are weights as they lie in memory: of forward
// [column][k], k innermost; of the input gradient [k][column], in boxes of 64 columns.
//
// Results pass through the ring's memory, rounded once, in the layout that TMA stores from; what lies outside of the
// tensor is not written. Values that are to be added to come the same way, as further steps of the ring.
// Shared memory: 193 KB (256 columns), 97 KB (128 and 64).
#include "base/dispatch.h"
#include "kernels/cuda/gemm_wgmma.h"
#include "kernels/cuda/products_wgmma.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

struct Block {
    int column, w, h, n;  // first of each
    Range lines, taps;    // live, of h and of w
};

__device__ __forceinline__ Block open_block(const PixelProduct& p, int tile_columns) {
    const int column_tiles = (p.columns + tile_columns - 1) / tile_columns;
    const int index = int(blockIdx.x) / column_tiles;
    Block b;
    b.column = int(blockIdx.x) % column_tiles * tile_columns;
    b.w = index % p.boxes_w * p.box.w;
    b.h = index / p.boxes_w % p.boxes_h * p.box.h;
    b.n = index / p.boxes_w / p.boxes_h * p.box.n;
    b.lines = live_taps(p.h, b.h, (b.h + p.box.h < p.h.size ? b.h + p.box.h : p.h.size) - 1);
    b.taps = live_taps(p.w, b.w, (b.w + p.box.w < p.w.size ? b.w + p.box.w : p.w.size) - 1);
    return b;
}

__device__ __forceinline__ int steps_of(const PixelProduct& p, const Block& b) {
    return b.lines.size() * b.taps.size() * ((p.depth + 63) / 64);
}

template <class Tile, gpu::Major Weights>
__device__ __forceinline__ void load_weights(const PixelProduct& p, WgmmaRing<Tile>& ring, int step, int c, int tap,
                                             int column) {
    if constexpr (Weights == gpu::Major::k) {
        const int at[3] = {c, tap, column};
        gpu::tma_load(p.weights, at, ring.right(step), ring.full_of(step));
    } else {
#pragma unroll
        for (int j = 0; j < Tile::n / 64; ++j) {
            const int at[3] = {column + j * 64, tap, c};
            gpu::tma_load(p.weights, at, ring.right(step) + j * wgmma_slab, ring.full_of(step));
        }
    }
}

// Where 64 columns of results lie, group g of them: two in a stage, from the one behind the last step's on. These stages were
// given back long before the last one, which never is.
template <class Tile>
__device__ __forceinline__ unsigned char* results(WgmmaRing<Tile>& ring, int steps, int g) {
    static_assert(Tile::stages >= 3 && (Tile::n == 64 || 2 * Tile::left_bytes <= Tile::stage_bytes));
    return ring.left(steps + g / 2) + g % 2 * Tile::left_bytes;
}

// The producer's whole work.
template <class Tile, gpu::Major Weights>
__device__ __forceinline__ void load(const PixelProduct& p, WgmmaRing<Tile>& ring, const Block& b) {
    int step = 0;
    for (int c = 0; c < p.depth; c += 64)
        for (int r = b.lines.begin; r < b.lines.end; ++r)
            for (int s = b.taps.begin; s < b.taps.end; ++s, ++step) {
                ring.open(step, Tile::stage_bytes);
                const int at[4] = {c, b.w + p.w.origin + s * p.w.step, b.h + p.h.origin + r * p.h.step, b.n};
                gpu::tma_load(p.source, at, ring.left(step), ring.full_of(step));
                load_weights<Tile, Weights>(p, ring, step, c, r * p.w.taps + s, b.column);
            }
    if (!p.accumulate) return;
    constexpr int groups = Tile::n / 64, together = groups < 2 ? groups : 2;
    for (int g = 0; g < groups; ++g) {
        if (g % 2 == 0) ring.open(step + g / 2, together * Tile::left_bytes);
        const int at[4] = {b.column + g * 64, b.w, b.h, b.n};
        gpu::tma_load(p.out, at, results(ring, step, g), ring.full_of(step + g / 2));
    }
}

// 64 columns of this thread's rows, from `column` on: adds the bias and what `tile` has, rounds into `tile`.
template <class T>
__device__ __forceinline__ void round_columns(const PixelProduct& p, const float* sum, int column,
                                              unsigned char* tile) {
    const int t = int(threadIdx.x), row = t / 32 * 16 + t % 32 / 4, pair = t % 4;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
        const int at = column + 8 * j + 2 * pair;
        const bool biased = p.bias && at < p.columns;
        const float bias[2] = {biased ? p.bias[at] : 0.0f, biased ? p.bias[at + 1] : 0.0f};
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            auto* const to = reinterpret_cast<uint32_t*>(tile + (row + 8 * half) * 128 + ((j ^ (row & 7)) << 4)) + pair;
            float v[2] = {sum[4 * j + 2 * half] + bias[0], sum[4 * j + 2 * half + 1] + bias[1]};
            if (p.accumulate) {
                const auto old = *reinterpret_cast<const gpu::Vec<T, 2>*>(to);
                v[0] += gpu::device_float(old.v[0]), v[1] += gpu::device_float(old.v[1]);
            }
            *to = gpu::device_round_pair<T>(v[0], v[1]);
        }
    }
}

// The consumers' end: the tile of results goes through the stages behind the last step's.
template <class Tile>
__device__ __forceinline__ void store(const PixelProduct& p, WgmmaRing<Tile>& ring, const Block& b,
                                      const float (&sum)[Tile::n / 2], int steps) {
    gpu::named_barrier_sync(1, wgmma_consumers);  // both warpgroups have read their last tiles
#pragma unroll
    for (int g = 0; g < Tile::n / 64; ++g) {
        if (p.accumulate && g % 2 == 0) ring.wait(steps + g / 2);
        round_columns<typename Tile::Element>(p, sum + 32 * g, b.column + 64 * g, results(ring, steps, g));
    }
    gpu::fence_proxy_async();
    gpu::named_barrier_sync(1, wgmma_consumers);
    if (threadIdx.x != 0) return;
    for (int g = 0; g < Tile::n / 64 && b.column + g * 64 < p.columns; ++g) {
        const int at[4] = {b.column + g * 64, b.w, b.h, b.n};
        gpu::tma_store(p.out, at, results(ring, steps, g));
    }
    gpu::tma_store_commit();
    gpu::tma_store_wait_read<0>();
}

template <class Tile, gpu::Major Weights>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks) implicit_gemm(const __grid_constant__ PixelProduct p) {
    auto& ring = *gpu::dynamic_shared<WgmmaRing<Tile>>();
    ring.start();
    const Block b = open_block(p, Tile::n);
    if (threadIdx.x >= wgmma_consumers) {
        if (threadIdx.x == wgmma_consumers) load<Tile, Weights>(p, ring, b);
        return;
    }
    float sum[Tile::n / 2] = {};
    const int steps = steps_of(p, b);
    multiply<Tile, gpu::Major::k, Weights, Tile::n>(sum, ring, int(threadIdx.x) / 128 * wgmma_slab, 0, steps);
    store<Tile>(p, ring, b, sum, steps);
}

// ---- launchers --------------------------------------------------------------------------------------------------

template <class Tile>
void launch_tile(Queue& q, const PixelProduct& p) {
    static_assert(rings_fit<Tile>);
    const auto kernel = p.weights_by_depth ? implicit_gemm<Tile, gpu::Major::k> : implicit_gemm<Tile, gpu::Major::mn>;
    const int64_t blocks = p.boxes() * ceil_div(p.columns, Tile::n);
    gpu::launch(kernel, dim3(unsigned(blocks)), dim3(Tile::threads), sizeof(WgmmaRing<Tile>), q.stream(), p);
}

template <class T>
void launch(Queue& q, const PixelProduct& p, int tile_columns) {
    if (tile_columns == 256) return launch_tile<WgmmaTile<T, 128, 256>>(q, p);
    if (tile_columns == 128) return launch_tile<WgmmaTile<T, 128, 128>>(q, p);
    launch_tile<WgmmaTile<T, 128, 64>>(q, p);
}

}  // namespace

void implicit_gemm_wgmma(Queue& q, const PixelProduct& p, DType dtype, int tile_columns) {
    dtype == DType::bf16 ? launch<bf16>(q, p, tile_columns) : launch<f16>(q, p, tile_columns);
}

}  // namespace atrous::kernels::cuda
