// Weight products on tensor cores (mma.sync, sm_80): bf16, f16 or floats rounded to TF32; channels in multiples of 16
// bytes, and aligned so.
//
// Grid: x = row tiles * column tiles (columns fastest), z = splits of the pixels. A block owns m rows (output channels)
// by n columns (tap, input channel) of one split's partial sums: 128x128 by 4 warps, 128x64 or 64x128 by 2, of 64x64 each, or
// 64x64 by 4. Pixels, which are the depth, go by 32 (floats: 16) at a time through a ring of 4 stages. A thread copies the
// same chunks of columns throughout. Shared memory: 4 * 64 * (m + n) bytes: 64 KB, 48 KB or 32 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_mma.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

// Offsets count chunks of 16 bytes, as in implicit_gemm_mma.cu: 32 bits, unsigned, in pitches that the launcher gives in
// chunks. Outside the image they mean nothing, and nothing is read there.

// How a factor's offset changes along the walk over the pixels.
struct Steps {
    unsigned pixel, line, image;  // to the next in a line; beyond that, at the end of a line; and of an image

    __device__ __forceinline__ Steps(const GemmOperand& f, const PixelRange& x)
        : pixel(unsigned(f.w.stride) * unsigned(f.pitch)),
          line(unsigned(f.h.stride * f.w.source) * unsigned(f.pitch) - unsigned(x.width) * pixel),
          image(unsigned((f.h.source - x.height * f.h.stride) * f.w.source) * unsigned(f.pitch)) {}
    __device__ __forceinline__ unsigned offset(const GemmOperand& f, int n, int p, int q) const {
        return unsigned((n * f.h.source + p * f.h.stride) * f.w.source) * unsigned(f.pitch) + unsigned(q) * pixel;
    }
};

// What a block's threads read where a line of pixels ends: it lies in shared memory, not in registers.
struct BlockLines {
    WeightBlock block;
    Steps a, b;
};

// A thread's pixel, in the range's coordinates, and both factors' offsets there.
struct TileWalk {
    int p, q, left;  // left: pixels from this one to the range's end
    unsigned a, b;

    __device__ __forceinline__ TileWalk(const WgradGemm& g, const BlockLines& lines, int start) {
        const PixelRange& x = lines.block.pixels;
        const PixelWalk at(x, start);
        p = at.p, q = at.q, left = x.end - x.begin - start;
        a = lines.a.offset(g.a, at.n, p, q), b = lines.b.offset(g.b, at.n, p, q);
    }
    __device__ __forceinline__ void advance(int by, unsigned by_a, unsigned by_b) {
        left -= by, q += by, a += unsigned(by) * by_a, b += unsigned(by) * by_b;
    }
    // Where q has left its line of `width` pixels: goes on to the line that it is in.
    __device__ __forceinline__ void enter_line(const BlockLines& lines, int width) {
        do {
            q -= width, a += lines.a.line, b += lines.b.line;
            if (++p == lines.block.pixels.height) p = 0, a += lines.a.image, b += lines.b.image;
        } while (q >= width);
    }
};

// The largest q with q * stride <= v.
__device__ __forceinline__ int floor_divide(int v, int stride) {
    return v >= 0 ? v / stride : -((stride - 1 - v) / stride);
}

// One chunk of columns of a factor, which a thread copies throughout.
struct Chunk {
    unsigned offset;        // of its tap and channels
    int first, count, row;  // the pixels of a line that it has, count of them from `first` on; its row at p = 0
    int hits;               // count on lines that it has, else none

    __device__ __forceinline__ Chunk(const GemmOperand& f, const PixelRange& x, int column, int size) {
        const OperandColumn c(f, x, column);
        offset = unsigned(c.h * f.w.source + c.w) * unsigned(f.pitch) + unsigned(c.channel / size);
        first = -floor_divide(c.w, f.w.stride);
        count = c.inside ? floor_divide(f.w.source - 1 - c.w, f.w.stride) - first + 1 : 0;
        row = c.h;
    }
    __device__ __forceinline__ void enter_line(const GemmOperand& f, int p) {
        hits = unsigned(p * f.h.stride + row) < unsigned(f.h.source) ? count : 0;
    }
    __device__ __forceinline__ void start(const void* data, unsigned pixel, const TileWalk& at, void* to) const {
        gpu::cp_async16(to, static_cast<const uint4*>(data) + (pixel + offset),
                        at.left > 0 && unsigned(at.q - first) < unsigned(hits));
    }
};

// The chunks of one factor that a thread copies at each of its pixels.
template <class T, int width, int groups>
struct ChunkRow {
    static constexpr int size = 16 / sizeof(T), count = width / size / groups;
    Chunk chunks[count];

    __device__ __forceinline__ void enter_line(const GemmOperand& f, int p) {
#pragma unroll
        for (int i = 0; i < count; ++i) chunks[i].enter_line(f, p);
    }
    __device__ __forceinline__ void start(const GemmOperand& f, unsigned pixel, const TileWalk& at, int line,
                                          T* tile) const {
#pragma unroll
        for (int i = 0; i < count; ++i)
            chunks[i].start(f.data, pixel, at,
                            tile + wide_offset<T, width>(line, int(threadIdx.x) % groups + i * groups));
    }
};

template <class T, int width, int groups>
__device__ __forceinline__ ChunkRow<T, width, groups> chunk_row(const GemmOperand& f, const PixelRange& x, int column) {
    constexpr int size = ChunkRow<T, width, groups>::size;
    const int mine = column + int(threadIdx.x) % groups * size;
    if constexpr (ChunkRow<T, width, groups>::count == 1)
        return {{Chunk(f, x, mine, size)}};
    else
        return {{Chunk(f, x, mine, size), Chunk(f, x, mine + groups * size, size)}};
}

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads) wgrad_gemm(WgradGemm p) {
    constexpr int groups = (Tile::m < Tile::n ? Tile::m : Tile::n) / Tile::chunk, stride = Tile::threads / groups;
    T* const ring = gpu::dynamic_shared<T>();
    BlockLines& lines = *reinterpret_cast<BlockLines*>(ring + Tile::stages * Tile::stage);
    {
        const WeightBlock block = open_block(p, Tile::m, Tile::n, Tile::k);
        if (threadIdx.x == 0) lines = {block, Steps(p.a, block.pixels), Steps(p.b, block.pixels)};
    }
    __syncthreads();
    const WeightBlock& b = lines.block;
    const PixelRange& x = b.pixels;
    const int line = threadIdx.x / groups, width = x.width, count = x.end - x.begin;
    const unsigned by_a = lines.a.pixel, by_b = lines.b.pixel;
    auto left = chunk_row<T, Tile::m, groups>(p.a, x, b.row);
    auto right = chunk_row<T, Tile::n, groups>(p.b, x, b.column);
    TileWalk at(p, lines, line);
    left.enter_line(p.a, at.p), right.enter_line(p.b, at.p);
    typename Tile::Sum sum = {};
    multiply<Tile, false, false>(sum, ring, (count + Tile::k - 1) / Tile::k, [&](T* rows, T* columns) {
#pragma unroll
        for (int i = 0; i < Tile::k / stride; ++i) {
            left.start(p.a, at.a, at, line + i * stride, rows);
            right.start(p.b, at.b, at, line + i * stride, columns);
            at.advance(stride, by_a, by_b);
            if (at.q < width) continue;
            at.enter_line(lines, width);
            left.enter_line(p.a, at.p), right.enter_line(p.b, at.p);
        }
    });

    float* const out = p.out + int64_t(blockIdx.z) * p.a.columns * p.b.columns;
    for_each_pair<Tile>(sum, [&](int row, int column, gpu::Vec<float, 2> pair) {
        if (b.row + row >= p.a.columns || b.column + column >= p.b.columns) return;
        auto* const to =
            reinterpret_cast<gpu::Vec<float, 2>*>(out + int64_t(b.row + row) * p.b.columns + b.column + column);
        if (p.accumulate) pair.v[0] += to->v[0], pair.v[1] += to->v[1];
        *to = pair;
    });
}

// ---- launchers --------------------------------------------------------------------------------------------------

template <class T, class Tile>
void launch_tile(Queue& q, const WgradGemm& p) {
    const int64_t blocks = ceil_div(p.a.columns, Tile::m) * ceil_div(p.b.columns, Tile::n);
    WgradGemm chunks = p;
    chunks.a.pitch /= Tile::chunk, chunks.b.pitch /= Tile::chunk;
    constexpr size_t smem_bytes = Tile::ring_bytes + sizeof(BlockLines);
    static_assert(blocks_fit<Tile>(smem_bytes));
    gpu::launch(wgrad_gemm<T, Tile>, dim3(unsigned(blocks), 1, unsigned(p.splits)), dim3(Tile::threads), smem_bytes,
                q.stream(), chunks);
}

// f(the tile for p): 64 high or wide where the product has no more rows or columns.
template <class T, class F>
auto with_tile(const WgradGemm& p, F f) {
    const bool tall = p.a.columns > 64, broad = p.b.columns > 64;
    if (tall && broad) return f(MmaTile<T, 128, 128, 2, 2>());
    if (tall) return f(MmaTile<T, 128, 64, 2, 1>());
    if (broad) return f(MmaTile<T, 64, 128, 1, 2>());
    return f(MmaTile<T, 64, 64, 2, 2>());
}

}  // namespace

TileSize weight_tile_mma(const WgradGemm& p, DType dtype) {
    const auto size = [](auto tile) { return TileSize{tile.m, tile.n, tile.k, tile.blocks}; };
    return dtype == DType::f32 ? with_tile<float>(p, size) : with_tile<bf16>(p, size);  // f16 is as bf16
}

void wgrad_gemm_mma(Queue& q, const WgradGemm& p, DType dtype) {
    dispatch_gpu("convolution", dtype, [&](auto zero) {
        using T = decltype(zero);
        with_tile<T>(p, [&](auto tile) { launch_tile<T, decltype(tile)>(q, p); });
    });
}

}  // namespace atrous::kernels::cuda
