// Pixel products on tensor cores (mma.sync, sm_80): bf16, f16 or floats rounded to TF32; depth and columns in multiples of
// 16 bytes, and aligned so.
//
// Grid: x = row tiles * phases of a strided gradient * column tiles, columns fastest. A block owns m rows (output
// pixels) by n columns (output channels): 128x128 or 64x64 by 4 warps, 128x64 by 2. The depth (live taps *
// channels) goes by in steps of 64 bytes through a ring of 4 stages; a chunk of 16 bytes of channels never straddles two
// taps. Results pass through the ring's memory as floats, so that they are rounded once and stored 16 bytes at a time.
// Shared memory: 4 * 64 * (m + n) bytes and a table of the rows (16 m bytes): 66 KB, 50 KB or 33 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_mma.h"
#include "kernels/cuda/tile_moments.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

// Offsets here count chunks of 16 bytes, so that 32 bits reach 32 GB; fits_mma sees to it that they do. The launcher gives
// pitches and strides in chunks too. They are unsigned, so that an address takes one addition and one multiplication, and
// wrap around where a tap lies in the padding.

// A row of the tile: where it writes, in elements; the source chunk under tap 0; and which taps are padding for it: a bit
// for each tap line, behind those of all lines one for each tap of a line, and `past`, which is where the depth has ended.
struct TileRow {
    int64_t to;
    unsigned from, dead;
};
constexpr unsigned past = 1u << most_tap_bits;

__device__ __forceinline__ unsigned dead_taps(const AxisTile& line, int at, int source) {
    unsigned dead = 0;
    for (int j = line.begin; j < line.end; ++j) dead |= unsigned(unsigned(at + j * line.step) >= unsigned(source)) << j;
    return dead;
}

__device__ __forceinline__ TileRow tile_row(const ImplicitGemm& p, const PixelBlock& b, int index) {
    const Row r = row_of(p, b, index);
    return {r.to, unsigned(r.from),
            past | dead_taps(b.h, r.h, p.h.source) | dead_taps(b.w, r.w, p.w.source) << b.h.end};
}

// A thread's place in the depth, which only moves forward, in units of a chunk of channels or of one channel.
template <class Tile, bool by_chunk>
struct TileWalk {
    int r, s, c;
    unsigned first, source, weight;  // this thread's first weight; the offsets here
    unsigned tap;                    // its bits in TileRow::dead; `past` behind the end

    static __device__ __forceinline__ int channels(const ImplicitGemm& p) {
        return by_chunk ? p.depth / Tile::chunk : p.depth;
    }
    static __device__ __forceinline__ unsigned weight_step(const ImplicitGemm& p) {
        return by_chunk ? 1 : unsigned(p.channel_stride);
    }
    __device__ __forceinline__ TileWalk(const ImplicitGemm& p, const PixelBlock& b, int start, unsigned first_weight)
        : r(b.h.begin), s(b.w.begin), c(start), first(first_weight) {
        enter_tap(p, b);
    }
    __device__ __forceinline__ void advance(const ImplicitGemm& p, const PixelBlock& b) {
        constexpr int by = by_chunk ? Tile::k / Tile::chunk : Tile::k;
        c += by, source += by, weight += by * weight_step(p);
        if (c >= channels(p)) enter_tap(p, b);
    }
    // Where c has left its tap's channels: goes on to the tap that it is in.
    __device__ __forceinline__ void enter_tap(const ImplicitGemm& p, const PixelBlock& b) {
        while (c >= channels(p) && r < b.h.end) {
            c -= channels(p);
            if (++s == b.w.end) s = b.w.begin, ++r;
        }
        const int line = b.h.first + r * b.h.stride, column = b.w.first + s * b.w.stride;
        source = unsigned(r * b.h.step * p.w.source + s * b.w.step) * unsigned(p.source_pitch) + unsigned(c);
        weight = first + unsigned(line * p.w.taps + column) * unsigned(p.tap_stride) + unsigned(c) * weight_step(p);
        tap = r < b.h.end ? 1u << r | 1u << (b.h.end + s) : past;
    }
};

// This thread's share of copying the rows: chunk threadIdx.x % 4 of several of them.
template <class T, class Tile>
struct SourceCopy {
    static constexpr int stride = Tile::threads / 4, passes = Tile::m / stride;
    static_assert(stride % 8 == 0, "the permutation of a row's chunks repeats");
    int to;
    unsigned from[passes], dead[passes];

    __device__ __forceinline__ explicit SourceCopy(const TileRow* table)
        : to(kept(deep_offset<T>(threadIdx.x / 4, threadIdx.x % 4))) {
#pragma unroll
        for (int i = 0; i < passes; ++i) {
            const TileRow& row = table[threadIdx.x / 4 + i * stride];
            from[i] = row.from, dead[i] = row.dead;
        }
    }
    __device__ __forceinline__ void start(const ImplicitGemm& p, const TileWalk<Tile, true>& at, T* tile) const {
        const uint4* const data = static_cast<const uint4*>(p.source);
#pragma unroll
        for (int i = 0; i < passes; ++i)
            gpu::cp_async16(tile + to + i * stride * 4 * Tile::chunk, data + (from[i] + at.source),
                            !(dead[i] & at.tap));
    }
};

// The same for the weights. Contiguous in depth: chunk threadIdx.x % 4 of several columns. Contiguous in columns: one
// chunk of columns at neighbouring depths of one tap.
template <class T, class Tile, bool deep>
struct WeightCopy {
    static constexpr int groups = deep ? 4 : Tile::n / Tile::chunk, lines = Tile::threads / groups;
    static constexpr int passes = (deep ? Tile::n : Tile::k) / lines;
    static_assert(deep ? lines % 8 == 0 : Tile::chunk % passes == 0);
    int columns;  // from this thread's on; none or less: it is outside
    int to[deep ? 1 : passes];

    __device__ __forceinline__ WeightCopy(const ImplicitGemm& p, const PixelBlock& b) {
        const int group = threadIdx.x % groups, line = threadIdx.x / groups;
        columns = p.columns - column(b);
        if constexpr (deep) {
            to[0] = kept(deep_offset<T>(line, group));
        } else {
#pragma unroll
            for (int i = 0; i < passes; ++i) to[i] = kept(wide_offset<T, Tile::n>(line * passes + i, group));
        }
    }
    static __device__ __forceinline__ int column(const PixelBlock& b) {
        return b.column + (deep ? int(threadIdx.x) / groups : int(threadIdx.x) % groups * Tile::chunk);
    }
    static __device__ __forceinline__ TileWalk<Tile, deep> walk(const ImplicitGemm& p, const PixelBlock& b) {
        const int depth = deep ? int(threadIdx.x) % groups : int(threadIdx.x) / groups * passes;
        return {p, b, depth, unsigned(deep ? column(b) * p.column_stride : column(b) / Tile::chunk)};
    }
    __device__ __forceinline__ void start(const ImplicitGemm& p, const TileWalk<Tile, deep>& at, T* tile) const {
        const uint4* const data = static_cast<const uint4*>(p.weights);
        const unsigned step = unsigned(deep ? lines * p.column_stride : p.channel_stride);
#pragma unroll
        for (int i = 0; i < passes; ++i)
            gpu::cp_async16(tile + (deep ? to[0] + i * lines * 4 * Tile::chunk : to[i]), data + (at.weight + i * step),
                            at.tap != past && columns > (deep ? i * lines : 0));
    }
};

// N neighbours of one row as floats, perhaps with the bias and what is there already, rounded and stored. Returns them.
template <int N, class T>
__device__ __forceinline__ gpu::Vec<T, N> write(const ImplicitGemm& p, T* to, int column, const float* from) {
    gpu::Vec<T, N> v{};
    if (p.accumulate) v = *reinterpret_cast<const gpu::Vec<T, N>*>(to);
    gpu::Vec<float, 4> sums[N / 4];  // single floats would meet at the banks
#pragma unroll
    for (int j = 0; j < N / 4; ++j) sums[j] = reinterpret_cast<const gpu::Vec<float, 4>*>(from)[j];
#pragma unroll
    for (int j = 0; j < N; ++j) {
        const float old = p.accumulate ? gpu::device_float(v.v[j]) : 0.0f;
        v.v[j] = gpu::device_round<T>(sums[j / 4].v[j % 4] + (p.bias ? p.bias[column + j] : 0.0f) + old);
    }
    *reinterpret_cast<gpu::Vec<T, N>*>(to) = v;
    return v;
}

// Stores the tile, whose sums lie in `staged`, 16 bytes at a time: a thread's columns are the same in each of its rows.
template <class T, class Tile, bool with_moments>
__device__ __forceinline__ void write_tile(const ImplicitGemm& p, const PixelBlock& b, const TileRow* table,
                                           float* staged) {
    constexpr int groups = Tile::n / Tile::chunk, lanes = Tile::threads / groups;
    static_assert(Tile::threads % groups == 0 &&
                  (2 * lanes * Tile::n + Tile::threads) * sizeof(float) <= Tile::ring_bytes);
    const int column = threadIdx.x % groups * Tile::chunk, out_column = b.column + column, first = threadIdx.x / groups;
    MomentSums<with_moments ? Tile::chunk : 1> moments;
    if (out_column < p.columns)
        for (int row = first; row < Tile::m && b.first + row < b.rows; row += lanes) {
            const auto v = write<Tile::chunk>(p, static_cast<T*>(p.out) + table[row].to + out_column, out_column,
                                              staged + row * Tile::n + (column ^ (row & 3) * 8));
            if constexpr (with_moments) moments.add(v, row == first);
        }
    if constexpr (with_moments) {
        __syncthreads();  // everyone has read the sums
        write_moments<Tile>(p, b, moments, staged);
    }
}

template <class T, class Tile, bool deep, bool with_moments>
__device__ __forceinline__ void multiply_tile(const ImplicitGemm& p) {
    T* const ring = gpu::dynamic_shared<T>();
    TileRow* const table = reinterpret_cast<TileRow*>(ring + Tile::stages * Tile::stage);
    PixelBlock& b = *reinterpret_cast<PixelBlock*>(table + Tile::m);  // read where a tap ends, not held in registers
    {
        const PixelBlock block = open_block(p, Tile::m, Tile::n);
        if (threadIdx.x == 0) b = block;
        for (int i = threadIdx.x; i < Tile::m; i += Tile::threads) table[i] = tile_row(p, block, block.first + i);
    }
    __syncthreads();

    const SourceCopy<T, Tile> source(table);
    const WeightCopy<T, Tile, deep> weights(p, b);
    TileWalk<Tile, deep> line = weights.walk(p, b);
    TileWalk<Tile, true> chunk(p, b, threadIdx.x % 4, 0);
    typename Tile::Sum sum = {};
    multiply<Tile, true, deep>(sum, ring, (b.depth + Tile::k - 1) / Tile::k, [&](T* rows, T* columns) {
        weights.start(p, line, columns);
        if constexpr (deep) {
            source.start(p, line, rows);
        } else {
            source.start(p, chunk, rows);
            chunk.advance(p, b);
        }
        line.advance(p, b);
    });

    float* const staged = reinterpret_cast<float*>(ring);
    static_assert(Tile::m * Tile::n * sizeof(float) <= Tile::ring_bytes);
    for_each_pair<Tile>(sum, [&](int row, int column, gpu::Vec<float, 2> pair) {
        *reinterpret_cast<gpu::Vec<float, 2>*>(staged + row * Tile::n + (column ^ (row & 3) * 8)) = pair;
    });
    __syncthreads();
    write_tile<T, Tile, with_moments>(p, b, table, staged);
}

template <class T, class Tile, bool deep>
__global__ void __launch_bounds__(Tile::threads) implicit_gemm(ImplicitGemm p) {
    multiply_tile<T, Tile, deep, false>(p);
}

// The same, deep, and the moments of what it stores.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads) implicit_gemm_moments(ImplicitGemm p) {
    multiply_tile<T, Tile, true, true>(p);
}

// ---- launchers --------------------------------------------------------------------------------------------------

constexpr int64_t enough_blocks = 264;  // two for each multiprocessor of an H100

struct Extent {
    int64_t rows, phases;
    int64_t tiles(const ImplicitGemm& p, int m, int n) const { return ceil_div(rows, m) * ceil_div(p.columns, n); }
};

template <class T, class Tile>
void launch_tile(Queue& q, const ImplicitGemm& p, const Extent& e) {
    const dim3 grid(unsigned(e.tiles(p, Tile::m, Tile::n) * e.phases));
    constexpr size_t smem_bytes = Tile::ring_bytes + Tile::m * sizeof(TileRow) + sizeof(PixelBlock);
    static_assert(blocks_fit<Tile>(smem_bytes));
    const bool deep = p.channel_stride == 1;
    ImplicitGemm chunks = p;
    chunks.source_pitch /= Tile::chunk, chunks.tap_stride /= Tile::chunk;
    (deep ? chunks.column_stride : chunks.channel_stride) /= Tile::chunk;
    require(!p.moments || (deep && e.phases == 1), "convolution: moments are those of a forward pass");
    const auto kernel = p.moments ? implicit_gemm_moments<T, Tile>
                        : deep    ? implicit_gemm<T, Tile, true>
                                  : implicit_gemm<T, Tile, false>;
    gpu::launch(kernel, grid, dim3(Tile::threads), smem_bytes, q.stream(), chunks);
}

// f(the tile for p, p's extent).
template <class T, class F>
auto with_tile(const ImplicitGemm& p, F f) {
    const Extent e{p.images * ceil_div(p.h.size, p.h.transposed ? p.h.stride : 1) *
                       ceil_div(p.w.size, p.w.transposed ? p.w.stride : 1),
                   p.h.phases() * p.w.phases()};
    if (p.columns > 64 && e.tiles(p, 128, 128) * e.phases >= enough_blocks) return f(MmaTile<T, 128, 128, 2, 2>(), e);
    if (e.tiles(p, 128, 64) * e.phases >= enough_blocks) return f(MmaTile<T, 128, 64, 2, 1>(), e);
    return f(MmaTile<T, 64, 64, 2, 2>(), e);
}

}  // namespace

int tile_rows_mma(const ImplicitGemm& p) {
    return with_tile<bf16>(p, [](auto tile, const Extent&) { return tile.m; });
}

void implicit_gemm_mma(Queue& q, const ImplicitGemm& p, DType dtype) {
    dispatch_gpu("convolution", dtype, [&](auto zero) {
        with_tile<decltype(zero)>(
            p, [&](auto tile, const Extent& e) { launch_tile<decltype(zero), decltype(tile)>(q, p, e); });
    });
}

}  // namespace atrous::kernels::cuda
