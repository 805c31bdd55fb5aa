// Which products Hopper's kernels take, and what they are told: boxes, tiles and tensor maps. No kernel is here.
#include "kernels/cuda/conv_wgmma.h"

#include <algorithm>
#include <string>

#include "base/variant.h"
#include "kernels/cuda/conv_work.h"
#include "kernels/cuda/products_wgmma.h"
#include "kernels/gpu/architectures.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

namespace {

using gpu::aligned;

// An H100's or H200's; a constant, so that a plan does not depend on the machine.
constexpr int64_t multiprocessors = 132;
constexpr int tile_rows = 128;

// ---- what fits --------------------------------------------------------------------------------------------------

bool has_hopper_code() {
    return gpu::platform() == gpu::Platform::emulated || gpu::architectures().find("90a") != std::string::npos;
}

const char* why_no_wgmma() {
    if (gpu::capability() != 90) return "the GPU's capability is not 9.0";
    if (!has_hopper_code()) return "the program was built without code for sm_90a";
    return nullptr;
}

// Whether the copy unit can address it: an extent and a stride, or two strides, in elements of 2 bytes.
bool halves_fit(const void* data, int64_t extent, int64_t stride) {
    return aligned(data, 16) && extent % 8 == 0 && stride % 8 == 0;
}

// ---- boxes ------------------------------------------------------------------------------------------------------

TapAxis tap_axis(const Axis& a) {
    const int sign = a.transposed ? -1 : 1;
    return {a.size, a.source, a.taps, -sign * a.padding, sign * a.dilation};
}

// Live taps of an axis, summed over its pieces of `extent` outputs: for each tap the pieces that it reads something for.
int64_t live_pieces(const TapAxis& a, int extent) {
    int64_t live = 0;
    for (int j = 0; j < a.taps; ++j) {
        const Range r = reading_outputs(a, j);
        if (r.size() > 0) live += (r.end - 1) / extent - r.begin / extent + 1;
    }
    return live;
}

// The same where pieces begin with the outputs that their tap reads something for.
int64_t reading_pieces(const TapAxis& a, int extent) {
    int64_t pieces = 0;
    for (int j = 0; j < a.taps; ++j) pieces += ceil_div(reading_outputs(a, j).size(), extent);
    return pieces;
}

// The box of `pixels` pixels with the fewest steps, which are pieces of h * pieces of w * pieces of the images; of equal
// ones the widest, then the highest.
PixelBox best_box(const TapAxis& h, const TapAxis& w, int64_t images, int pixels,
                  int64_t (*pieces)(const TapAxis&, int)) {
    PixelBox best;
    int64_t fewest = -1;
    for (int width = pixels; width >= 1; width /= 2) {
        const int64_t across = pieces(w, width);
        for (int height = pixels / width; height >= 1; height /= 2) {
            const int depth = pixels / width / height;
            const int64_t steps = across * pieces(h, height) * ceil_div(images, depth);
            if (fewest < 0 || steps < fewest) fewest = steps, best = {width, height, depth};
        }
    }
    return best;
}

// Axes and images of a product. One tap without padding needs no lines: all pixels are one.
struct Plane {
    TapAxis h, w;
    int images;
    Plane(const Axis& line, const Axis& column, int n) : h(tap_axis(line)), w(tap_axis(column)), images(n) {
        const auto plain = [](const TapAxis& a) { return a.taps == 1 && a.origin == 0 && a.size == a.source; };
        if (!plain(h) || !plain(w)) return;
        w.size = w.source = n * h.size * w.size;
        h.size = h.source = images = 1;
    }
};

// ---- tiles ------------------------------------------------------------------------------------------------------

// A step of a tile of n columns copies 128 * (128 + n) bytes from the L2, which bound it; a multiprocessor takes one block
// after the other, or two at once, which then take twice as long.
int64_t time_of(int64_t blocks, int columns) { return ceil_div(blocks, multiprocessors) * (tile_rows + columns); }

TileSize pixel_tile(const PixelProduct& p) {
    const auto time = [&](int n) { return time_of(p.boxes() * ceil_div(p.columns, n), n); };
    int best = 256;
    for (const int n : {128, 64})
        if (time(n) < time(best)) best = n;
    return {tile_rows, best, 64, best == 256 ? 1 : 2};
}

// The tile whose columns copy the least.
TileSize weight_tile(const WgradGemm& p) {
    const int rows = p.a.channels, channels = p.b.channels;
    if (rows <= 64 && channels > 64) return {64, 128, 64, 2};
    const auto copied = [&](int n) { return ceil_div(channels, n) * (tile_rows + n); };
    int best = 256;
    for (const int n : {128, 64})
        if (copied(n) < copied(best)) best = n;
    return {tile_rows, best, 64, best == 256 ? 1 : 2};
}

// ---- tensor maps ------------------------------------------------------------------------------------------------

gpu::TensorElement element_of(DType dtype) {
    return dtype == DType::bf16 ? gpu::TensorElement::bf16 : gpu::TensorElement::f16;
}

// [images][h][w][channels], its pixels `pitch` elements apart, in boxes of 64 channels.
gpu::TensorMap pixel_map(const void* data, DType dtype, int64_t pitch, int64_t channels, int64_t w, int64_t h,
                         int64_t n, const PixelBox& box) {
    gpu::TensorMapDescription d;
    d.base = const_cast<void*>(data), d.element = element_of(dtype), d.rank = 4;
    d.size = {uint64_t(channels), uint64_t(w), uint64_t(h), uint64_t(n)};
    const uint64_t pixel = uint64_t(pitch) * 2;
    d.stride_bytes = {0, pixel, pixel * uint64_t(w), pixel * uint64_t(w * h)};
    d.box = {64, unsigned(box.w), unsigned(box.h), unsigned(box.n)};
    d.step = {1, 1, 1, 1};
    return gpu::encode_tensor_map(d);
}

// [rows][taps][contiguous], in boxes of 64 contiguous elements of one tap.
gpu::TensorMap weight_map(const ImplicitGemm& p, DType dtype, int box_rows) {
    const bool by_depth = p.channel_stride == 1;
    gpu::TensorMapDescription d;
    d.base = const_cast<void*>(p.weights), d.element = element_of(dtype), d.rank = 3;
    d.size = {uint64_t(by_depth ? p.depth : p.columns), uint64_t(p.h.taps * p.w.taps),
              uint64_t(by_depth ? p.columns : p.depth)};
    d.stride_bytes = {0, uint64_t(p.tap_stride) * 2, uint64_t(by_depth ? p.column_stride : p.channel_stride) * 2};
    d.box = {64, 1, unsigned(box_rows)};
    d.step = {1, 1, 1};
    return gpu::encode_tensor_map(d);
}

// Without tensor maps, for which there may be no memory.
PixelProduct planned(const ImplicitGemm& p) {
    const Plane plane(p.h, p.w, p.images);
    PixelProduct to;
    to.bias = p.bias, to.depth = p.depth, to.columns = p.columns, to.accumulate = p.accumulate;
    to.weights_by_depth = p.channel_stride == 1;
    to.h = plane.h, to.w = plane.w, to.images = plane.images;
    to.box = best_box(to.h, to.w, to.images, tile_rows, live_pieces);
    to.boxes_w = int(ceil_div(to.w.size, to.box.w)), to.boxes_h = int(ceil_div(to.h.size, to.box.h));
    to.boxes_n = int(ceil_div(to.images, to.box.n));
    return to;
}

void set_maps(PixelProduct& to, const ImplicitGemm& p, DType dtype, int columns) {
    to.source = pixel_map(p.source, dtype, p.source_pitch, p.depth, to.w.source, to.h.source, to.images, to.box);
    to.out = pixel_map(p.out, dtype, p.out_pitch, p.columns, to.w.size, to.h.size, to.images, to.box);
    to.weights = weight_map(p, dtype, to.weights_by_depth ? columns : 64);
}

WeightProduct planned(const WgradGemm& p, const TileSize& tile) {
    const Plane plane(p.b.h, p.b.w, p.images);
    WeightProduct to;
    to.rows = p.a.channels, to.channels = p.b.channels;
    to.h = plane.h, to.w = plane.w, to.images = plane.images;
    to.box = best_box(to.h, to.w, to.images, tile.depth, reading_pieces);
    to.boxes_n = int(ceil_div(to.images, to.box.n));
    const int64_t tiles = ceil_div(to.rows, tile.rows) * ceil_div(to.channels, tile.columns) * to.h.taps * to.w.taps;
    const int64_t boxes = ceil_div(to.w.size, to.box.w) * ceil_div(to.h.size, to.box.h) * to.boxes_n;
    to.splits = pixel_splits(tiles, boxes, tile.blocks, int64_t(p.a.columns) * p.b.columns);
    return to;
}

void set_maps(WeightProduct& to, const WgradGemm& p, DType dtype) {
    to.gradient = pixel_map(p.a.data, dtype, p.a.pitch, to.rows, to.w.size, to.h.size, to.images, to.box);
    to.source = pixel_map(p.b.data, dtype, p.b.pitch, to.channels, to.w.source, to.h.source, to.images, to.box);
}

void report(const char* function, DType dtype) { ran((std::string(function) + "/wgmma_" + name_of(dtype)).c_str()); }

// ---- what is asked of products ----------------------------------------------------------------------------------

constexpr const char* misplaced = "channels or pitches are no multiples of 8, or a tensor is not aligned to 16 bytes";

const char* why_not(DType dtype, const Axis& h, const Axis& w) {
    if (const char* const why = why_no_wgmma()) return why;
    if (!is_half(dtype)) return "the elements are neither bf16 nor fp16";
    return h.stride != 1 || w.stride != 1 ? "the stride is not 1" : nullptr;
}

const char* why_not(const PixelWork& work) {
    const ImplicitGemm& p = work.product;
    if (const char* const why = why_not(work.dtype, p.h, p.w)) return why;
    const bool fits = halves_fit(p.source, p.source_pitch, p.depth) && halves_fit(p.out, p.out_pitch, p.columns) &&
                      halves_fit(p.weights, p.tap_stride, std::max(p.channel_stride, p.column_stride));
    return fits ? nullptr : misplaced;
}

const char* why_not(const WeightWork& work) {
    const WgradGemm& p = work.product;
    if (const char* const why = why_not(work.dtype, p.b.h, p.b.w)) return why;
    const bool fits = halves_fit(p.a.data, p.a.pitch, p.a.channels) && halves_fit(p.b.data, p.b.pitch, p.b.channels) &&
                      aligned(p.out, 2 * sizeof(float));
    return fits ? nullptr : misplaced;
}

// "mma", whose tiles are a fourth as large, reaches at most 60 % of the rate of wgmma. So this one is behind where fewer than
// two thirds of the multiprocessors get a block, or no more than 60 % of what the tiles multiply lies in the tensors.
bool fills(int64_t blocks, double useful) { return 3 * blocks >= 2 * multiprocessors && useful > 0.6; }

// The part of n that whole pieces of it hold.
double used(int64_t n, int64_t piece) { return double(n) / double(ceil_div(n, piece) * piece); }

bool is_faster(const PixelWork& work) {
    const PixelProduct p = planned(work.product);
    const TileSize tile = pixel_tile(p);
    const double pixels = used(p.w.size, p.box.w) * used(p.h.size, p.box.h) * used(p.images, p.box.n);
    return fills(p.boxes() * ceil_div(p.columns, tile.columns),
                 pixels * used(p.columns, tile.columns) * used(p.depth, tile.depth));
}

bool is_faster(const WeightWork& work) {
    const TileSize tile = weight_tile(work.product);
    const WeightProduct p = planned(work.product, tile);
    // Of an axis' outputs that its taps read the source for.
    const auto read = [](const TapAxis& a, int extent) {
        return double(reading_pieces(a, 1)) / double(reading_pieces(a, extent) * extent);
    };
    const double pixels = read(p.w, p.box.w) * read(p.h, p.box.h) * used(p.images, p.box.n);
    const int64_t tiles = ceil_div(p.rows, tile.rows) * ceil_div(p.channels, tile.columns) * p.h.taps * p.w.taps;
    return fills(tiles * p.splits, pixels * used(p.rows, tile.rows) * used(p.channels, tile.columns));
}

ResultTile tile_of(const PixelWork& work) { return {tile_rows, pixel_tile(planned(work.product)).columns}; }

ResultTile tile_of(const WeightWork& work) {
    const TileSize tile = weight_tile(work.product);
    return {tile.rows, tile.columns};
}

void run(Queue& q, const PixelWork& work) {
    report(work.function, work.dtype);
    if (q.is_dry_run()) return;
    PixelProduct p = planned(work.product);
    const int columns = pixel_tile(p).columns;
    set_maps(p, work.product, work.dtype, columns);
    implicit_gemm_wgmma(q, p, work.dtype, columns);
}

void run(Queue& q, const WeightWork& work) {
    report(work.function, work.dtype);
    const WgradGemm& of = work.product;
    const TileSize tile = weight_tile(of);
    WeightProduct p = planned(of, tile);
    const int64_t count = int64_t(of.a.columns) * of.b.columns;
    const bool split = p.splits > 1;
    p.out = split ? q.scratch<float>(size_t(p.splits * count)) : of.out;
    p.accumulate = of.accumulate && !split;
    if (!q.is_dry_run()) {
        set_maps(p, of, work.dtype);
        wgrad_gemm_wgmma(q, p, work.dtype, tile);
    }
    if (split) sum_partials(q, p.out, p.splits, count, of.out, of.accumulate);
}

}  // namespace

std::string why_wgmma_is_absent() {
    const char* const why = why_no_wgmma();
    if (!why) return "";
    const int capability = gpu::capability();
    if (capability == 0) return "there is no GPU; expected one of capability 9.0; take auto";
    const std::string found = std::to_string(capability / 10) + "." + std::to_string(capability % 10);
    if (capability != 90) return "the GPU's capability is " + found + "; expected 9.0; take mma";
    return std::string(why) + ", which a GPU of capability " + found + " needs; take mma, or build for 90a";
}

const char* why_not_wgmma(const ConvForwardArgs& a) { return why_not(conv_forward_work(a)); }
const char* why_not_wgmma(const ConvBackwardInputArgs& a) { return why_not(conv_input_gradient_work(a)); }
const char* why_not_wgmma(const ConvBackwardWeightArgs& a) { return why_not(conv_weight_gradient_work(a)); }
bool wgmma_is_faster(const ConvForwardArgs& a) { return is_faster(conv_forward_work(a)); }
bool wgmma_is_faster(const ConvBackwardInputArgs& a) { return is_faster(conv_input_gradient_work(a)); }
bool wgmma_is_faster(const ConvBackwardWeightArgs& a) { return is_faster(conv_weight_gradient_work(a)); }
ResultTile wgmma_tile(const ConvForwardArgs& a) { return tile_of(conv_forward_work(a)); }
ResultTile wgmma_tile(const ConvBackwardInputArgs& a) { return tile_of(conv_input_gradient_work(a)); }
ResultTile wgmma_tile(const ConvBackwardWeightArgs& a) { return tile_of(conv_weight_gradient_work(a)); }
void run_wgmma(Queue& q, const ConvForwardArgs& a) { run(q, conv_forward_work(a)); }
void run_wgmma(Queue& q, const ConvBackwardInputArgs& a) { run(q, conv_input_gradient_work(a)); }
void run_wgmma(Queue& q, const ConvBackwardWeightArgs& a) { run(q, conv_weight_gradient_work(a)); }

}  // namespace atrous::kernels::cuda
