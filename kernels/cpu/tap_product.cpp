#include "kernels/cpu/tap_product.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/register_tile.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t lanes = Vector<float>::lanes, panel_width = 2 * lanes;
// Of A's channels that are multiplied at a time: a panel of weights then takes 16 KiB of the first cache.
constexpr int64_t max_depth = (16 << 10) / (panel_width * int64_t(sizeof(float)));

constexpr int64_t max_taps = 16;  // multiplied in one go

int64_t padded(int64_t n) { return ceil_div(n, lanes) * lanes; }
int64_t slices_of(const TapProduct& p) { return ceil_div(p.k, max_depth); }
int64_t depth_of(const TapProduct& p) { return ceil_div(p.k, slices_of(p)); }
// Taps that are multiplied in one go, where channels are few.
int64_t taps_at_a_time(const TapProduct& p) { return std::clamp<int64_t>(max_depth / p.k, 1, max_taps); }

struct Slice {  // of the channels of A
    int64_t first, depth;
};
Slice slice_of(const TapProduct& p, int64_t index) {
    const int64_t first = index * depth_of(p);
    return {first, std::min(depth_of(p), p.k - first)};
}

// Weights lie as [tap][slice][panel][k][width], the last panel a vector wide where that is enough.
const float* weights_at(const TapProduct& p, const float* packed, int64_t tap, const Slice& s) {
    return packed + (tap * p.k + s.first) * padded(p.n);
}

void pack_panel(const TapProduct& p, int64_t tap, const Slice& s, int64_t first, float* to) {
    const int64_t width = std::min(panel_width, padded(p.n) - first), used = std::min(width, p.n - first);
    const float* from = p.w + tap * p.w_tap + s.first * p.w_k + first * p.w_n;
    if (used < width) std::fill_n(to, s.depth * width, 0.0f);
    if (p.w_n == 1) {
        for (int64_t k = 0; k < s.depth; ++k) std::copy_n(from + k * p.w_k, used, to + k * width);
        return;
    }
    constexpr int64_t line = 16;  // values of k that a cache line has
    for (int64_t k0 = 0; k0 < s.depth; k0 += line)
        for (int64_t j = 0; j < used; ++j)
            for (int64_t k = k0; k < std::min(k0 + line, s.depth); ++k) to[k * width + j] = from[k * p.w_k + j * p.w_n];
}

// What a tile of C begins with and is summed over.
struct Part {
    const float* a[max_tap_rows];  // where each row's channels lie, from there on at each tap's offset
    int64_t offsets[max_taps];
    const float* w[max_taps];  // each tap's panel
    int64_t taps, depth;
    const float* start;  // [width]; null: what C holds
};

template <int count, int vectors>
void tile(const Part& p, int64_t row, float* const* c, int64_t used) {
    using V = vector_t<float>;
    constexpr int64_t width = vectors * lanes;
    const bool whole = used == width;
    float edge[count][width];
    V sums[count][vectors];
    for (int i = 0; i < count; ++i) {
        if (!whole) std::fill_n(edge[i], width, 0.0f);
        if (!whole && !p.start) std::copy_n(c[i], used, edge[i]);
        const float* from = p.start ? p.start : whole ? c[i] : edge[i];
        for (int v = 0; v < vectors; ++v) sums[i][v] = load_vector(from + v * lanes);
    }
    for (int64_t tap = 0; tap < p.taps; ++tap) {
        const float *w = p.w[tap], *a[count];
        for (int i = 0; i < count; ++i) a[i] = p.a[row + i] + p.offsets[tap];
        for (int64_t k = 0; k < p.depth; ++k, w += width) {
            V b[vectors];
            for (int v = 0; v < vectors; ++v) b[v] = load_vector(w + v * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < count; ++i)
#pragma GCC unroll 2
                for (int v = 0; v < vectors; ++v) sums[i][v] += a[i][k] * b[v];
        }
    }
    for (int i = 0; i < count; ++i) {
        for (int v = 0; v < vectors; ++v) store_vector((whole ? c[i] : edge[i]) + v * lanes, sums[i][v]);
        if (!whole) std::copy_n(edge[i], used, c[i]);
    }
}

using Tile = void (*)(const Part&, int64_t, float* const*, int64_t);
template <int vectors, int... counts>
constexpr std::array<Tile, tile_rows> tiles_of(std::integer_sequence<int, counts...>) {
    return {tile<counts + 1, vectors>...};
}
template <int vectors>
constexpr auto tiles = tiles_of<vectors>(std::make_integer_sequence<int, tile_rows>());

// Asks for a share of the panel that comes next, while one is used by tile after tile.
void prefetch_share(const Part& part, int64_t panel, int64_t tile, int64_t tiles) {
    const int64_t first = panel * tile / tiles, last = panel * (tile + 1) / tiles;
    for (int64_t tap = 0; tap < part.taps; ++tap)
        for (int64_t i = first; i < last; i += 16) __builtin_prefetch(part.w[tap] + panel + i, 0, 2);
}

// All columns of the rows: a panel of weights stays in the first cache, the rows' channels in the second.
void multiply_rows(const TapProduct& p, const PackedTaps& packed, const TapRows& rows, Part& part, bool first) {
    const int64_t row_tiles = ceil_div(rows.count, int64_t(tile_rows));
    for (int64_t column = 0; column < p.n; column += panel_width) {
        const bool narrow = p.n - column <= lanes;
        const int64_t width = narrow ? lanes : panel_width, used = std::min(width, p.n - column);
        part.start = first ? packed.bias + column : nullptr;
        for (int64_t index = 0; index < row_tiles; ++index) {
            const int64_t row = index * tile_rows, count = std::min<int64_t>(tile_rows, rows.count - row);
            float* c[tile_rows];
            for (int64_t i = 0; i < count; ++i) c[i] = rows.c + rows.c_at[row + i] + column;
            prefetch_share(part, width * part.depth, index, row_tiles);
            (narrow ? tiles<1> : tiles<2>)[count - 1](part, row, c, used);
        }
        for (int64_t tap = 0; tap < part.taps; ++tap) part.w[tap] += width * part.depth;
    }
}

// Rows of many channels that lie a power of two apart would evict each other from the first cache.
bool reads_in_place(const TapRows& rows) { return rows.a_step * int64_t(sizeof(float)) <= 2048; }

void place_rows(const TapRows& rows, const Tap* taps, const Slice& s, Part& part, float* buffer) {
    const bool in_place = reads_in_place(rows);
    for (int64_t t = 0; t < part.taps; ++t) part.offsets[t] = in_place ? taps[t].offset + s.first : t * s.depth;
    for (int64_t i = 0; i < rows.count; ++i) {
        const float* const from = rows.a + rows.a_at[i];
        float* const to = buffer + i * part.taps * s.depth;
        part.a[i] = in_place ? from : to;
        for (int64_t t = 0; t < part.taps && !in_place; ++t)
            std::copy_n(from + taps[t].offset + s.first, s.depth, to + t * s.depth);
    }
}

}  // namespace

PackedTaps pack_taps(Queue& q, const TapProduct& p, const std::vector<int64_t>& taps_read) {
    const int64_t columns = padded(p.n), panels = ceil_div(columns, panel_width), slices = slices_of(p);
    float* w = q.scratch<float>(p.taps * p.k * columns);
    float* bias = q.scratch<float>(columns);
    const int64_t taps = int64_t(taps_read.size());
    parallel_each(q, taps * slices * panels, taps * p.k * columns, [&](int64_t i) {
        const int64_t tap = taps_read[size_t(i / panels / slices)], first = i % panels * panel_width;
        const Slice s = slice_of(p, i / panels % slices);
        pack_panel(p, tap, s, first, w + (weights_at(p, w, tap, s) - w) + first * s.depth);
    });
    if (q.is_dry_run()) return {w, bias};
    std::fill_n(bias, columns, 0.0f);
    if (p.bias) std::copy_n(p.bias, p.n, bias);
    return {w, bias};
}

int64_t tap_buffer_size(const TapProduct& p) {
    return max_tap_rows * std::min(taps_at_a_time(p), p.taps) * depth_of(p);
}

void multiply_taps(const TapProduct& p, const PackedTaps& packed, const TapRows& rows, float* buffer) {
    const auto& taps = *rows.taps;
    const int64_t all = int64_t(taps.size()), slices = slices_of(p);
    bool first = !p.accumulate;
    if (all == 0 && first)
        for (int64_t i = 0; i < rows.count; ++i) std::copy_n(packed.bias, p.n, rows.c + rows.c_at[i]);
    Part part;
    for (int64_t tap = 0; tap < all; tap += part.taps)
        for (int64_t index = 0; index < slices; ++index) {
            const Slice s = slice_of(p, index);
            part.taps = std::min(taps_at_a_time(p), all - tap);
            part.depth = s.depth;
            for (int64_t t = 0; t < part.taps; ++t) part.w[t] = weights_at(p, packed.w, taps[tap + t].weights, s);
            place_rows(rows, taps.data() + tap, s, part, buffer);
            multiply_rows(p, packed, rows, part, first);
            first = false;
        }
}

}  // namespace atrous::kernels::cpu
