#include "kernels/cpu/product.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/view.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/register_tile.h"

namespace atrous::kernels::cpu {

namespace {

// B is packed in panels of two vectors (the last of a part: one where that is enough): [part g][panel][t][k][width].
template <class T>
constexpr int64_t panel_width = 2 * Vector<T>::lanes;
template <class T>
int64_t padded_columns(int64_t n) {
    return ceil_div(n, Vector<T>::lanes) * Vector<T>::lanes;
}

template <class T>
void pack_panel(const Product<T>& p, int64_t group, int64_t first, int64_t width, T* to) {
    const int64_t used = std::min(width, p.n - first);
    for (int64_t t = 0; t < int64_t(p.a_parts.size()); ++t) {
        const T* from = p.b + t * p.b_part + group * p.b_group + first * p.b_n;
        for (int64_t k = 0; k < p.k; ++k, to += width) {
            for (int64_t j = 0; j < used; ++j) to[j] = from[k * p.b_k + j * p.b_n];
            std::fill(to + used, to + width, T(0));
        }
    }
}

// One tile: `count` rows of A times a panel of `vectors` vectors.
template <class T, int count, int vectors>
void tile(const Product<T>& p, int64_t first_row, const T* panel, int64_t group, int64_t column) {
    using V = vector_t<T>;
    constexpr int lanes = Vector<T>::lanes;
    const T* rows[count];
    p.a.template find<count>(first_row, 0, rows);
    V sums[count][vectors] = {};
    for (const int64_t part : p.a_parts) {
        const T* a[count];
        for (int i = 0; i < count; ++i) a[i] = rows[i] + part;
        for (int64_t k = 0; k < p.k; ++k, panel += vectors * lanes) {
            V b[vectors];
            for (int v = 0; v < vectors; ++v) b[v] = load_vector(panel + v * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < count; ++i)
#pragma GCC unroll 2
                for (int v = 0; v < vectors; ++v) sums[i][v] += a[i][k] * b[v];
        }
    }
    T* to[count];
    p.c.template find<count>(first_row, p.c_parts[group] + column, to);
    const int64_t used = std::min<int64_t>(vectors * lanes, p.n - column);
    T bias[vectors * lanes] = {}, edge[vectors * lanes] = {};
    if (p.bias) std::copy_n(p.bias + column, used, bias);
    const bool whole = used == vectors * lanes;
    for (int i = 0; i < count; ++i) {
        T* c = whole ? to[i] : edge;
        if (!whole && p.accumulate) std::copy_n(to[i], used, edge);
        for (int v = 0; v < vectors; ++v) {
            const V sum = sums[i][v] + load_vector(bias + v * lanes);
            store_vector(c + v * lanes, p.accumulate ? load_vector(c + v * lanes) + sum : sum);
        }
        if (!whole) std::copy_n(edge, used, to[i]);
    }
}

template <class T>
using Tile = void (*)(const Product<T>&, int64_t, const T*, int64_t, int64_t);
template <class T, int vectors, int... counts>
constexpr std::array<Tile<T>, tile_rows> tiles_of(std::integer_sequence<int, counts...>) {
    return {tile<T, counts + 1, vectors>...};
}
template <class T, int vectors>
constexpr auto tiles = tiles_of<T, vectors>(std::make_integer_sequence<int, tile_rows>());

// Rows [first, last) of C: the rows' part of A stays in the second-level cache while the panels of B pass by.
template <class T>
void multiply_rows(const Product<T>& p, const T* packed, int64_t first, int64_t last) {
    const int64_t depth = p.k * int64_t(p.a_parts.size());
    for (int64_t group = 0; group < int64_t(p.c_parts.size()); ++group)
        for (int64_t column = 0; column < p.n; column += panel_width<T>) {
            const bool narrow = p.n - column <= Vector<T>::lanes;
            const T* panel = packed + (group * padded_columns<T>(p.n) + column) * depth;
            for (int64_t row = first; row < last; row += tile_rows) {
                const int64_t count = std::min<int64_t>(tile_rows, last - row);
                (narrow ? tiles<T, 1> : tiles<T, 2>)[count - 1](p, row, panel, group, column);
            }
        }
}

}  // namespace

template <class T>
const T* pack(Queue& q, const Product<T>& p) {
    const int64_t depth = p.k * int64_t(p.a_parts.size()), groups = int64_t(p.c_parts.size());
    const int64_t columns = padded_columns<T>(p.n), panels = ceil_div(columns, panel_width<T>);
    T* packed = q.scratch<T>(groups * columns * depth);
    if (q.is_dry_run()) return packed;
    parallel_each(q, groups * panels, groups * columns * depth, [&](int64_t i) {
        const int64_t group = i / panels, first = i % panels * panel_width<T>;
        pack_panel(p, group, first, std::min(panel_width<T>, columns - first),
                   packed + (group * columns + first) * depth);
    });
    return packed;
}

template <class T>
void multiply(Queue& q, const Product<T>& p, const T* packed) {
    if (q.is_dry_run()) return;
    const int64_t row_bytes = p.k * int64_t(p.a_parts.size() * sizeof(T));
    const int64_t tiles_a_block = std::clamp<int64_t>((256 << 10) / (row_bytes * tile_rows), 4, 16);
    const int64_t rows = tiles_a_block * tile_rows, blocks = ceil_div(p.m, rows);
    const int64_t vectors =
        p.m * p.k * int64_t(p.a_parts.size() * p.c_parts.size()) * padded_columns<T>(p.n) / Vector<T>::lanes;
    parallel_each(q, blocks, vectors,
                  [&](int64_t block) { multiply_rows(p, packed, block * rows, std::min(p.m, (block + 1) * rows)); });
}

template const float* pack(Queue&, const Product<float>&);
template const double* pack(Queue&, const Product<double>&);
template void multiply(Queue&, const Product<float>&, const float*);
template void multiply(Queue&, const Product<double>&, const double*);

}  // namespace atrous::kernels::cpu
