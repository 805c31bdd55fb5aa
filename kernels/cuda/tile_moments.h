// Moments (kernels/moments.h) of the tile of results that a block of a tensor-core product stores: a run is a tile's rows.
#pragma once

#include "kernels/cuda/implicit_gemm.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

// A thread's share of the moments of N neighbouring columns: sums of differences to the first value, so that a large mean
// costs no digits.
template <int N>
struct MomentSums {
    float shift[N] = {}, sum[N] = {}, square[N] = {};

    template <class T>
    __device__ __forceinline__ void add(const gpu::Vec<T, N>& v, bool first) {
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const float x = gpu::device_float(v.v[j]);
            if (first) shift[j] = x;
            const float d = x - shift[j];
            sum[j] += d, square[j] = fmaf(d, d, square[j]);
        }
    }
};

// Merges the shares of the threads, each of which had every lanes-th row of its columns, and writes the block's run.
// `shared` holds (2 lanes + 2) rows of the tile as floats, and nobody reads it any more.
template <class Tile>
__device__ __forceinline__ void write_moments(const ImplicitGemm& p, const PixelBlock& b,
                                              const MomentSums<Tile::chunk>& mine, float* shared) {
    constexpr int groups = Tile::n / Tile::chunk, lanes = Tile::threads / groups;
    float *const means = shared, *const squares = means + lanes * Tile::n, *const counts = squares + lanes * Tile::n;
    const int rows = b.rows - b.first < Tile::m ? b.rows - b.first : Tile::m;
    const auto count_of = [&](int lane) { return lane < rows ? float((rows - 1 - lane) / lanes + 1) : 0.0f; };
    const int lane = threadIdx.x / groups, to = lane * Tile::n + threadIdx.x % groups * Tile::chunk;
    const float count = count_of(lane);
#pragma unroll
    for (int j = 0; j < Tile::chunk; ++j) {
        const float offset = count > 0 ? mine.sum[j] / count : 0.0f;
        means[to + j] = mine.shift[j] + offset;
        squares[to + j] = mine.square[j] - mine.sum[j] * offset;
    }
    gpu::merge_columns(means, squares, counts, lanes, Tile::n, count_of, [&](int column, const gpu::Moments& m) {
        if (b.column + column >= p.columns) return;
        float* const out = p.moments + int64_t(b.first / Tile::m) * 2 * p.columns + b.column + column;
        out[0] = m.mean, out[p.columns] = m.squares;
    });
}

}  // namespace atrous::kernels::cuda
