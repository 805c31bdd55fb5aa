// Weight products on tensor cores (mma.sync, sm_80): bf16, f16 or floats rounded to TF32; channels in multiples of 16
// bytes, and aligned so.
//
// Grid: x = row tiles * column tiles (columns fastest), z = splits of the pixels. A block owns m rows (output channels)
// by n columns (tap, input channel) of one split's partial sums: 128x128 by 8 warps or 64x64 by 4. Pixels, which are
// the depth, go by 32 (floats: 16) at a time through a ring of 4 stages. A thread copies the same 16 bytes of columns of
// each factor throughout. Shared memory: 4 * 64 * (m + n) bytes: 64 KB or 32 KB.
#include "base/dispatch.h"
#include "kernels/cuda/gemm_mma.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

template <class T>
__device__ __forceinline__ void copy(const GemmOperand& f, const OperandColumn& column, const PixelRange& x,
                                     const PixelWalk& at, T* to) {
    int64_t offset;
    const bool hit = column.locate(f, x, at, offset);
    gpu::cp_async16(to, static_cast<const T*>(f.data) + (hit ? offset : 0), hit);
}

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads) wgrad_gemm(WgradGemm p) {
    static_assert(Tile::m == Tile::n, "one walk over the pixels serves both factors");
    constexpr int groups = Tile::m / Tile::chunk, stride = Tile::threads / groups;
    T* const ring = gpu::dynamic_shared<T>();
    const WeightBlock b = open_block(p, Tile::m, Tile::n, Tile::k);
    const PixelRange& x = b.pixels;
    const int chunk = threadIdx.x % groups, line = threadIdx.x / groups;
    const OperandColumn left(p.a, x, b.row + chunk * Tile::chunk), right(p.b, x, b.column + chunk * Tile::chunk);
    PixelWalk at(x, line);
    typename Tile::Sum sum = {};
    multiply<Tile, false, false>(sum, ring, (x.end - x.begin + Tile::k - 1) / Tile::k, [&](T* rows, T* columns) {
#pragma unroll
        for (int i = 0; i < Tile::k / stride; ++i) {
            const int to = wide_offset<T, Tile::m>(line + i * stride, chunk);
            copy(p.a, left, x, at, rows + to);
            copy(p.b, right, x, at, columns + to);
            at.advance(x, stride);
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

template <class T>
using Large = MmaTile<T, 128, 128, 2, 4>;
template <class T>
using Small = MmaTile<T, 64, 64, 2, 2>;

bool large(const WgradGemm& p) { return p.a.columns > 64 && p.b.columns > 64; }

template <class T, class Tile>
void launch_tile(Queue& q, const WgradGemm& p) {
    const int64_t blocks = ceil_div(p.a.columns, Tile::m) * ceil_div(p.b.columns, Tile::n);
    gpu::launch(wgrad_gemm<T, Tile>, dim3(unsigned(blocks), 1, unsigned(p.splits)), dim3(Tile::threads),
                Tile::ring_bytes, q.stream(), p);
}

template <class T>
void launch(Queue& q, const WgradGemm& p) {
    large(p) ? launch_tile<T, Large<T>>(q, p) : launch_tile<T, Small<T>>(q, p);
}

}  // namespace

TileSize weight_tile_mma(const WgradGemm& p, DType dtype) {
    const int depth = 64 / int(size_of(dtype)), side = large(p) ? 128 : 64;
    return {side, side, depth};
}

void wgrad_gemm_mma(Queue& q, const WgradGemm& p, DType dtype) {
    dispatch_gpu("convolution", dtype, [&](auto zero) { launch<decltype(zero)>(q, p); });
}

}  // namespace atrous::kernels::cuda
