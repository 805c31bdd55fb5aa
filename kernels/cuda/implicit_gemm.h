// The two products behind every convolution, its gradients and the 2x2 transposed convolution. conv.cu and
// conv_transpose.cu describe their work in these terms, for which there are two implementations: on tensor cores ("mma")
// and without ("simt").
//
//   ImplicitGemm   out[pixel, column] = bias[column] + sum over (tap, channel) of
//                                                      source[gathered pixel, channel] * weights[tap, channel, column]
//   WgradGemm  out[row, column]   = sum over pixels of a[gathered pixel, row] * b[gathered pixel, column]
//
// A convolution gathers with its stride. A gradient of a strided convolution falls apart into stride * stride phases,
// output pixels of equal remainder, each of which is a stride-1 gather over its own few taps: no tap is tried in vain.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "kernels/gpu/device.h"
#include "kernels/implementation.h"
#include "kernels/queue.h"

namespace atrous::kernels::cuda {

// What these kernels demand besides: pixels and coordinates are 32-bit, element offsets 64-bit.
inline void check_size(const View& x, const View& w, const View& y) {
    const int64_t most = int64_t(1) << 30;
    require(x.pixels() <= most && y.pixels() <= most && w.count() <= most,
            "convolution: more than 2^30 pixels or weights; split the batch");
}

// One spatial axis. Plain: output p has its tap r on source p * stride - padding + r * dilation.
// Transposed: the inverse; output h has its tap r on source (h + padding - r * dilation) / stride where that is whole.
struct Axis {
    int size = 1, source = 1, taps = 1;
    int stride = 1, padding = 0, dilation = 1;
    bool transposed = false;
    __host__ __device__ int phases() const { return transposed ? (stride < size ? stride : size) : 1; }
    int phase_taps() const;  // at most
};

struct ImplicitGemm {
    const void* source = nullptr;  // [images][h.source][w.source][depth]
    int64_t source_pitch = 0;
    int depth = 0;
    const void* weights = nullptr;  // element (tap, channel, column); channel_stride or column_stride is 1
    int64_t tap_stride = 0, channel_stride = 0, column_stride = 0;
    const float* bias = nullptr;
    void* out = nullptr;  // [images][h.size][w.size][columns]
    int64_t out_pitch = 0;
    int columns = 0;
    bool accumulate = false, vector_out = false;
    int images = 0;
    Axis h, w;
    float* moments =
        nullptr;  // of out, which has one phase: a run is a row tile's (kernels/moments.h); absent: not wanted
};

// A factor of a WgradGemm: its column (tap, channel) at pixel (n, p, q) is data[n, p', q', channel].
struct GemmOperand {
    const void* data = nullptr;
    int64_t pitch = 0;
    int channels = 0, columns = 0;  // columns = taps * channels
    Axis h, w;                      // plain
};

struct WgradGemm {
    GemmOperand a, b;
    int images = 0, height = 0, width = 0;  // the pixels summed over; size of both factors' axes
    float* out = nullptr;                   // [splits][a.columns][b.columns]
    int splits = 1;
    bool accumulate = false;
};

// A product as a contract function asks for it, by whose name the variant log calls it.
template <class Product>
struct Work {
    const char* function;
    DType dtype;
    Product product;
};
using PixelWork = Work<ImplicitGemm>;
using WeightWork = Work<WgradGemm>;

// Tap lines and taps of a line, together, that the tensor cores' kernel tells apart by a bit each.
constexpr int most_tap_bits = 31;

// On the current device, in this arithmetic.
bool fits_mma(const PixelWork&, MathMode);
bool fits_mma(const WeightWork&, MathMode);
void run_mma(Queue&, const PixelWork&, const char* name = "mma");  // as what the variant log knows it
void run_mma(Queue&, const WeightWork&, const char* name = "mma");
void run_simt(Queue&, const PixelWork&);
void run_simt(Queue&, const WeightWork&);

// As members of the family of a contract function that is one product: work_of(args) says which.
template <class Product, class Args>
Args args_of(Work<Product> (*work_of)(const Args&));  // never defined: for its type

template <auto work_of>
auto by_mma() {
    using Args = decltype(args_of(work_of));
    Implementation<Args> i;
    i.name = "mma";
    i.needs =
        "capability 8.0; bf16, fp16 or tf32, channels in multiples of 8 (tf32: 4), 16-byte aligned, below 32 GB, at "
        "most 31 taps high and wide together";
    i.supports = [](Queue& q, const Args& a) { return fits_mma(work_of(a), q.math()); };
    i.run = [](Queue& q, const Args& a) { run_mma(q, work_of(a)); };
    return i;
}

template <auto work_of>
auto by_simt() {
    using Args = decltype(args_of(work_of));
    Implementation<Args> i;
    i.name = "simt";
    i.run = [](Queue& q, const Args& a) { run_simt(q, work_of(a)); };
    return i;
}

// dbias[c] (+)= sum over pixels of dy[pixel, c], in a fixed order.
void run_channel_sums(Queue&, const View& dy, const VectorGradTarget& dbias, const char* function);

// The kernels, one launcher a file. `vector`: 4 neighbouring elements can be read at once.
void implicit_gemm_simt(Queue&, const ImplicitGemm&, DType, bool vector);
void implicit_gemm_mma(Queue&, const ImplicitGemm&, DType);
int tile_rows_mma(const ImplicitGemm&);  // the only ones that give moments: the pixels of a run
void wgrad_gemm_simt(Queue&, const WgradGemm&, DType, bool vector);
void wgrad_gemm_mma(Queue&, const WgradGemm&, DType);
// How many blocks share the pixels of one tile of a weight product of `count` results: `steps` steps in each of `tiles` tiles,
// `blocks` blocks on a multiprocessor.
int pixel_splits(int64_t tiles, int64_t steps, int64_t blocks, int64_t count);
// out[i] (+)= partial[0][i] + partial[1][i] + …, in an order that depends on `parts` and `count` alone.
void sum_partials(Queue&, const float* partial, int parts, int64_t count, float* out, bool accumulate);

// What a block of the wgrad GEMMs' kernels owns, the pixels it takes at a time, and how many blocks a multiprocessor of an
// H100 holds.
struct TileSize {
    int rows, columns, depth, blocks;
};
TileSize weight_tile_simt(const WgradGemm&);
TileSize weight_tile_mma(const WgradGemm&, DType);

// ---- device side ------------------------------------------------------------------------------------------------

// An axis as one block sees it: row p reads source p * scale + origin + j * step for its live taps j in [begin, end),
// which are the weights' taps first + j * stride.
struct AxisTile {
    int rows, scale, origin, step, first, stride, begin, end, phase, out_scale;
};

__device__ __forceinline__ AxisTile axis_tile(const Axis& a, int phase) {
    if (!a.transposed) return {a.size, a.stride, -a.padding, a.dilation, 0, 1, 0, a.taps, 0, 1};
    int first = 0;
    while (first < a.taps && (phase + a.padding - first * a.dilation) % a.stride != 0) ++first;
    int period = 1;
    while (period * a.dilation % a.stride != 0) ++period;
    const int taps = first < a.taps ? (a.taps - 1 - first) / period + 1 : 0;
    const int origin = (phase + a.padding - first * a.dilation) / a.stride, step = -(period * a.dilation / a.stride);
    return {(a.size - phase + a.stride - 1) / a.stride, 1, origin, step, first, period, 0, taps, phase, a.stride};
}

// Drops the taps that lie in the padding for all rows in [low, high].
__device__ __forceinline__ void narrow(AxisTile& line, int low, int high, int source) {
    auto dead = [&](int j) {
        const int at = line.origin + j * line.step;
        return high * line.scale + at < 0 || low * line.scale + at >= source;
    };
    while (line.begin < line.end && dead(line.begin)) ++line.begin;
    while (line.begin < line.end && dead(line.end - 1)) --line.end;
}

// Where one row of an implicit GEMM reads (the source pixel under tap 0, perhaps in the padding) and writes.
struct Row {
    int64_t from, to;
    int h, w;
};

struct PixelBlock {
    AxisTile h, w;
    int rows, first, column;  // rows of this phase; the block's first row and column
    int depth;                // live taps * channels
};

__device__ __forceinline__ Row row_of(const ImplicitGemm& p, const PixelBlock& b, int index) {
    if (index >= b.rows) return {0, 0, -(1 << 30), 0};  // every tap is padding
    const int x = index % b.w.rows, y = index / b.w.rows % b.h.rows, n = index / b.w.rows / b.h.rows;
    const int h = y * b.h.scale + b.h.origin, w = x * b.w.scale + b.w.origin;
    const int out_h = y * b.h.out_scale + b.h.phase, out_w = x * b.w.out_scale + b.w.phase;
    return {((int64_t(n) * p.h.source + h) * p.w.source + w) * p.source_pitch,
            ((int64_t(n) * p.h.size + out_h) * p.w.size + out_w) * p.out_pitch, h, w};
}

// Describes this block (grid: x = row tiles * phases * column tiles, columns fastest). All phases of a row tile, which
// read the same source, are neighbours, so that all but one of them find it in the L2 cache.
__device__ __forceinline__ PixelBlock open_block(const ImplicitGemm& p, int tile_rows, int tile_columns) {
    const int column_tiles = (p.columns + tile_columns - 1) / tile_columns, phases = p.h.phases() * p.w.phases();
    const int tile = blockIdx.x / column_tiles, phase = tile % phases;
    PixelBlock b;
    b.h = axis_tile(p.h, phase / p.w.phases());
    b.w = axis_tile(p.w, phase % p.w.phases());
    b.rows = p.images * b.h.rows * b.w.rows;
    b.first = tile / phases * tile_rows;
    b.column = blockIdx.x % column_tiles * tile_columns;

    const int last = (b.first + tile_rows < b.rows ? b.first + tile_rows : b.rows) - 1;
    const int first_line = b.first / b.w.rows, last_line = last / b.w.rows;
    const bool one_line = first_line == last_line, one_image = first_line / b.h.rows == last_line / b.h.rows;
    narrow(b.h, one_image ? first_line % b.h.rows : 0, one_image ? last_line % b.h.rows : b.h.rows - 1, p.h.source);
    narrow(b.w, one_line ? b.first % b.w.rows : 0, one_line ? last % b.w.rows : b.w.rows - 1, p.w.source);
    if (b.first >= b.rows || b.w.begin == b.w.end) b.h.end = b.h.begin;
    b.depth = (b.h.end - b.h.begin) * (b.w.end - b.w.begin) * p.depth;
    return b;
}

// A place in the depth of an implicit GEMM. It moves forward only; past the end r == h.end.
struct DepthWalk {
    int r, s, c;
    __device__ __forceinline__ DepthWalk(const ImplicitGemm& p, const PixelBlock& b, int start)
        : r(b.h.begin), s(b.w.begin), c(0) {
        advance(p, b, start);
    }
    __device__ __forceinline__ void advance(const ImplicitGemm& p, const PixelBlock& b, int by) {
        c += by;
        while (c >= p.depth && r < b.h.end) {
            c -= p.depth;
            if (++s == b.w.end) s = b.w.begin, ++r;
        }
    }
    __device__ __forceinline__ bool inside(const PixelBlock& b) const { return r < b.h.end; }
    __device__ __forceinline__ int64_t source_offset(const ImplicitGemm& p, const PixelBlock& b) const {
        return (int64_t(r * b.h.step) * p.w.source + s * b.w.step) * p.source_pitch + c;
    }
    __device__ __forceinline__ int64_t weight_offset(const ImplicitGemm& p, const PixelBlock& b) const {
        const int tap = (b.h.first + r * b.h.stride) * p.w.taps + b.w.first + s * b.w.stride;
        return tap * p.tap_stride + c * p.channel_stride;
    }
    __device__ __forceinline__ bool hits(const Row& row, const ImplicitGemm& p, const PixelBlock& b) const {
        return inside(b) && unsigned(row.h + r * b.h.step) < unsigned(p.h.source) &&
               unsigned(row.w + s * b.w.step) < unsigned(p.w.source);
    }
};

// The pixels a block of a wgrad GEMM sums over: those where some tap of its columns meets the image, as a rectangle
// of every image, and of these the share [begin, end) of this split.
struct PixelRange {
    int top, left, height, width, begin, end;
};

struct WeightBlock {
    int row, column;
    PixelRange pixels;
};

__device__ __forceinline__ void reach(const Axis& a, int first_tap, int last_tap, int& begin, int& size) {
    const int low = a.padding - last_tap * a.dilation, high = a.source - 1 + a.padding - first_tap * a.dilation;
    begin = low <= 0 ? 0 : (low + a.stride - 1) / a.stride;
    const int end = high < 0 ? 0 : (high / a.stride < a.size ? high / a.stride + 1 : a.size);
    size = end > begin ? end - begin : 0;
}

// Grid: x = row tiles * column tiles, columns fastest; z = splits.
__device__ __forceinline__ WeightBlock open_block(const WgradGemm& p, int tile_rows, int tile_columns, int tile_depth) {
    const int column_tiles = (p.b.columns + tile_columns - 1) / tile_columns;
    WeightBlock b;
    b.row = blockIdx.x / column_tiles * tile_rows;
    b.column = blockIdx.x % column_tiles * tile_columns;
    const int last_column = (b.column + tile_columns < p.b.columns ? b.column + tile_columns : p.b.columns) - 1;
    const int first = b.column / p.b.channels, last = last_column / p.b.channels, taps_w = p.b.w.taps;
    const bool one_line = first / taps_w == last / taps_w;
    PixelRange& x = b.pixels;
    reach(p.b.h, first / taps_w, last / taps_w, x.top, x.height);
    reach(p.b.w, one_line ? first % taps_w : 0, one_line ? last % taps_w : taps_w - 1, x.left, x.width);
    const int count = p.images * x.height * x.width, tiles = (count + tile_depth - 1) / tile_depth;
    const int share = (tiles + p.splits - 1) / p.splits * tile_depth;
    x.begin = int(blockIdx.z) * share < count ? int(blockIdx.z) * share : count;
    x.end = count - x.begin < share ? count : x.begin + share;
    return b;
}

// Walks a PixelRange forwards.
struct PixelWalk {
    int n, p, q, index;
    __device__ __forceinline__ PixelWalk(const PixelRange& x, int start) : n(0), p(0), q(0), index(x.begin + start) {
        if (x.begin == x.end) return;
        q = index % x.width;
        p = index / x.width % x.height;
        n = index / x.width / x.height;
    }
    __device__ __forceinline__ void advance(const PixelRange& x, int by) {
        index += by;
        q += by;
        while (q >= x.width) {
            q -= x.width;
            if (++p == x.height) p = 0, ++n;
        }
    }
};

// One thread's column of a factor, fixed for the whole product.
struct OperandColumn {
    int h, w, channel;
    bool inside;
    __device__ __forceinline__ OperandColumn(const GemmOperand& f, const PixelRange& x, int column)
        : channel(column % f.channels), inside(column < f.columns) {
        const int tap = column / f.channels;
        h = x.top * f.h.stride - f.h.padding + tap / f.w.taps * f.h.dilation;
        w = x.left * f.w.stride - f.w.padding + tap % f.w.taps * f.w.dilation;
    }
    // The element's offset at a pixel; false in the padding and past the end.
    __device__ __forceinline__ bool locate(const GemmOperand& f, const PixelRange& x, const PixelWalk& at,
                                           int64_t& offset) const {
        const int y = at.p * f.h.stride + h, z = at.q * f.w.stride + w;
        offset = ((int64_t(at.n) * f.h.source + y) * f.w.source + z) * f.pitch + channel;
        return inside && at.index < x.end && unsigned(y) < unsigned(f.h.source) && unsigned(z) < unsigned(f.w.source);
    }
};

}  // namespace atrous::kernels::cuda
