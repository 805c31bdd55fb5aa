// The inner loop of weight gradients: outer products of pixels, summed in a register tile. One side lends vectors of
// channels ("wide"), the other scalars ("narrow"). f32 and f64 are multiplied as they are; of bf16 the same channel of
// two pixels lies in 32 bits, and one instruction multiplies and adds both.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/view.h"
#include "kernels/conv.h"
#include "kernels/cpu/register_tile.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace atrous::kernels::cpu {

using Pair = uint32_t;  // two bf16, the first pixel's in the lower half

template <class T>
struct SumOf {
    using type = T;
};
template <>
struct SumOf<Pair> {
    using type = float;
};
template <class T>
using sum_t = typename SumOf<T>::type;

template <class T>
inline void multiply_add(vector_t<T>& sum, T a, vector_t<T> b) {
    sum += a * b;
}
#ifdef __AVX512BF16__
inline constexpr bool multiplies_pairs = true;  // in one instruction
inline void multiply_add(vector_t<float>& sum, Pair a, vector_t<Pair> b) {
    sum = vector_t<float>(_mm512_dpbf16_ps(__m512(sum), __m512bh(_mm512_set1_epi32(int(a))), __m512bh(b)));
}
#else
inline constexpr bool multiplies_pairs = false;
inline void multiply_add(vector_t<float>& sum, Pair a, vector_t<Pair> b) {
    constexpr Pair second = 0xffff0000u;
    sum += half_detail::float_of(a << 16) * vector_t<float>(b << 16);
    sum += half_detail::float_of(a & second) * vector_t<float>(b & second);
}
#endif

template <class T>
constexpr int64_t panel_width = 2 * Vector<T>::lanes;
template <class T>
constexpr int64_t tile_size = tile_rows* panel_width<T>;

// sums[i][j] += sum over rows and columns of narrow[row][column * narrow_step + i] * wide[row][column * wide_step + j]
// for i below `count` and j below `vectors` vectors; sums is [tile_rows][panel_width].
template <class T, int count, int vectors>
void outer_sums(const T* const* narrow, int64_t narrow_step, const T* const* wide, int64_t wide_step, int64_t rows,
                int64_t columns, sum_t<T>* to) {
    using V = vector_t<sum_t<T>>;
    constexpr int lanes = Vector<T>::lanes, chains = tile_rows / count;  // independent sums hide the latency
    V sums[chains][count][vectors] = {};
    for (int i = 0; i < count; ++i)
        for (int v = 0; v < vectors; ++v) sums[0][i][v] = load_vector(to + i * panel_width<T> + v * lanes);
    for (int64_t row = 0; row < rows; ++row) {
        const T *a = narrow[row], *b = wide[row];
        const auto step = [&](int chain) {
            vector_t<T> wide_values[vectors];
            for (int v = 0; v < vectors; ++v) wide_values[v] = load_vector(b + v * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < count; ++i)
#pragma GCC unroll 2
                for (int v = 0; v < vectors; ++v) multiply_add(sums[chain][i][v], a[i], wide_values[v]);
            a += narrow_step;
            b += wide_step;
        };
        int64_t column = 0;
        for (; column + chains <= columns; column += chains)
#pragma GCC unroll 16
            for (int chain = 0; chain < chains; ++chain) step(chain);
        for (; column < columns; ++column) step(0);
    }
    for (int i = 0; i < count; ++i)
        for (int v = 0; v < vectors; ++v) {
            V sum = sums[0][i][v];
            for (int chain = 1; chain < chains; ++chain) sum += sums[chain][i][v];
            store_vector(to + i * panel_width<T> + v * lanes, sum);
        }
}

template <class T>
using OuterSums = void (*)(const T* const*, int64_t, const T* const*, int64_t, int64_t, int64_t, sum_t<T>*);
template <class T, int vectors, int... counts>
constexpr std::array<OuterSums<T>, tile_rows> sums_of(std::integer_sequence<int, counts...>) {
    return {outer_sums<T, counts + 1, vectors>...};
}
template <class T, int vectors>
constexpr auto sums_table = sums_of<T, vectors>(std::make_integer_sequence<int, tile_rows>());  // by count - 1

// Output coordinates [first, last) whose tap lies inside the image.
struct Range {
    int64_t first, last;
};
inline Range inside(const ConvGeometry& g, int64_t tap, int64_t in, int64_t out) {
    const int64_t shift = tap * g.dilation - g.padding;  // input = output * stride + shift
    const int64_t first = shift >= 0 ? 0 : ceil_div(-shift, g.stride);
    const int64_t last = shift >= in ? 0 : std::min(out, (in - 1 - shift) / g.stride + 1);
    return {first, std::max(first, last)};
}

}  // namespace atrous::kernels::cpu
