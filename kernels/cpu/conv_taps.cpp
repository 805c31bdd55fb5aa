// "taps", of f32: convolutions that multiply no tap which lies in the padding. The output is cut into regions whose
// pixels read the same taps; each is a product (tap_product.h).
#include <algorithm>

#include "base/variant.h"
#include "kernels/conv.h"
#include "kernels/cpu/outer_sums.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/tap_product.h"

namespace atrous::kernels::cpu {

namespace {

// A segment of one axis of the output, all of whose coordinates meet the image under the same taps.
struct Segment {
    int64_t first, last;
    std::vector<int64_t> taps;
};

std::vector<Segment> segments_of(const ConvGeometry& g, int64_t kernel, int64_t in, int64_t out) {
    std::vector<int64_t> cuts{0, out};
    for (int64_t tap = 0; tap < kernel; ++tap) {
        const Range range = inside(g, tap, in, out);
        cuts.push_back(range.first);
        cuts.push_back(range.last);
    }
    std::sort(cuts.begin(), cuts.end());
    std::vector<Segment> segments;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
        if (cuts[i] == cuts[i + 1] || cuts[i] >= out) continue;
        Segment s{cuts[i], cuts[i + 1], {}};
        for (int64_t tap = 0; tap < kernel; ++tap) {
            const Range range = inside(g, tap, in, out);
            if (range.first <= s.first && s.last <= range.last) s.taps.push_back(tap);
        }
        segments.push_back(std::move(s));
    }
    return segments;
}

struct Region {
    Segment rows, columns;
    std::vector<Tap> taps;
    int64_t pixels, first_unit = 0, units = 0;
};

struct TapConvolution {
    View from, to;
    int64_t r, s;
    ConvGeometry geometry;
    TapProduct product;
};

std::vector<Region> regions_of(const TapConvolution& c) {
    std::vector<Region> regions;
    const auto columns = segments_of(c.geometry, c.s, c.from.w, c.to.w);
    for (const Segment& row : segments_of(c.geometry, c.r, c.from.h, c.to.h))
        for (const Segment& column : columns) {
            Region region{row, column, {}, c.to.n * (row.last - row.first) * (column.last - column.first)};
            for (const int64_t i : row.taps)
                for (const int64_t j : column.taps)
                    region.taps.push_back({i * c.s + j, (i * c.from.w + j) * c.geometry.dilation * c.from.c});
            regions.push_back(std::move(region));
        }
    return regions;
}

std::vector<int64_t> taps_read(const std::vector<Region>& regions, int64_t taps) {
    std::vector<bool> read(size_t(taps), false);
    for (const Region& region : regions)
        for (const Tap& tap : region.taps) read[size_t(tap.weights)] = true;
    std::vector<int64_t> list;
    for (int64_t tap = 0; tap < taps; ++tap)
        if (read[size_t(tap)]) list.push_back(tap);
    return list;
}

// Rows that a thread takes at a time: many, so that weights pass by seldom, yet some units for each thread.
int64_t rows_of_a_unit(const View& to, int threads) {
    return std::clamp<int64_t>(to.pixels() / (4 * threads) / tile_rows * tile_rows, 24, max_tap_rows);
}

// Cuts each region into units of whole tiles. Returns their number.
int64_t cut_into_units(std::vector<Region>& regions, int64_t rows_of_a_unit) {
    int64_t units = 0;
    for (Region& region : regions) {
        region.first_unit = units;
        region.units = ceil_div(region.pixels, rows_of_a_unit);
        units += region.units;
    }
    return units;
}

// One unit of a region, as rows of the product.
void compute_unit(const TapConvolution& c, const PackedTaps& packed, const Region& region, int64_t unit,
                  float* buffer) {
    const View &from = c.from, &to = c.to;
    const ConvGeometry& g = c.geometry;
    const int64_t width = region.columns.last - region.columns.first, height = region.rows.last - region.rows.first;
    const int64_t tiles = ceil_div(region.pixels, int64_t(tile_rows));
    const auto begin = [&](int64_t i) { return std::min(region.pixels, tiles * i / region.units * tile_rows); };
    const int64_t first = begin(unit), count = begin(unit + 1) - first;
    int64_t a_at[max_tap_rows], c_at[max_tap_rows];
    for (int64_t i = 0; i < count; ++i) {
        const int64_t pixel = first + i, n = pixel / (width * height);
        const int64_t y = pixel / width % height + region.rows.first, x = pixel % width + region.columns.first;
        c_at[i] = ((n * to.h + y) * to.w + x) * to.c;
        a_at[i] = ((n * from.h + y * g.stride - g.padding) * from.w + x * g.stride - g.padding) * from.c;
    }
    multiply_taps(c.product, packed,
                  {from.as<float>(), to.as<float>(), a_at, c_at, g.stride * from.c, count, &region.taps}, buffer);
}

void run(Queue& q, const TapConvolution& c) {
    std::vector<Region> regions = regions_of(c);
    const int64_t units = cut_into_units(regions, rows_of_a_unit(c.to, q.threads()));
    const PackedTaps packed = pack_taps(q, c.product, taps_read(regions, c.product.taps));
    const int64_t buffer_size = tap_buffer_size(c.product);
    float* buffers = q.scratch<float>(q.threads() * buffer_size);
    if (q.is_dry_run()) return;
    share_pieces(q.threads(), units, [&](int64_t u, int thread) {
        size_t index = regions.size() - 1;
        while (regions[index].first_unit > u) --index;
        compute_unit(c, packed, regions[index], u - regions[index].first_unit, buffers + thread * buffer_size);
    });
}

// Measured with AVX2, on 3x3 windows of 32 channels and more, to be about as fast as oneDNN 2.6 or faster
// (docs/performance-notes.md); with AVX-512 counted to be where rates are those of atrous pooling: oneDNN multiplies the
// padding, and where it has no kernel for so much of it, goes by im2col. The size of the image is no part of it, so that windows
// of an image are computed as the whole is.
bool is_faster(const View& w, const ConvGeometry& g) {
#ifdef __AVX512F__
    constexpr int least_dilation = 6;
#else
    constexpr int least_dilation = 1;
#endif
    return g.dilation >= least_dilation && w.h * w.w > 1 && w.n >= 16 && w.c >= 16;
}

bool supports_forward(Queue&, const ConvForwardArgs& a) { return a.x.dtype == DType::f32; }
bool forward_is_faster(Queue&, const ConvForwardArgs& a) { return is_faster(a.w, a.geometry); }

void forward(Queue& q, const ConvForwardArgs& a) {
    ran("conv_forward/taps_f32");
    const View& w = a.w;
    run(q, {a.x,
            a.y,
            w.h,
            w.w,
            a.geometry,
            {.n = w.n,
             .k = w.c,
             .taps = w.h * w.w,
             .w = w.as<float>(),
             .w_tap = w.c,
             .w_k = 1,
             .w_n = w.h * w.w * w.c,
             .bias = static_cast<const float*>(a.bias)}});
}

// At stride 1 dx is the convolution of dy with the weights turned by half a turn.
bool supports_backward_input(Queue&, const ConvBackwardInputArgs& a) {
    return a.dy.dtype == DType::f32 && a.geometry.stride == 1 && a.w.h == a.w.w;
}
bool backward_input_is_faster(Queue&, const ConvBackwardInputArgs& a) { return is_faster(a.w, a.geometry); }

void backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    ran("conv_backward_input/taps_f32");
    const View& w = a.w;
    const int64_t taps = w.h * w.w;
    ConvGeometry geometry = a.geometry;
    geometry.padding = geometry.dilation * int(w.h - 1) - geometry.padding;
    run(q, {a.dy,
            a.dx.view,
            w.h,
            w.w,
            geometry,
            {.n = w.c,
             .k = w.n,
             .taps = taps,
             .w = w.as<float>() + (taps - 1) * w.c,
             .w_tap = -w.c,
             .w_k = taps * w.c,
             .w_n = 1,
             .accumulate = a.dx.accumulate}});
}

}  // namespace

Implementation<ConvForwardArgs> forward_by_taps() {
    return {.name = "taps", .needs = "f32", .supports = supports_forward, .faster = forward_is_faster, .run = forward};
}
Implementation<ConvBackwardInputArgs> backward_input_by_taps() {
    return {.name = "taps",
            .needs = "f32, stride 1, a square kernel",
            .supports = supports_backward_input,
            .faster = backward_input_is_faster,
            .run = backward_input};
}

}  // namespace atrous::kernels::cpu
