// Products of stride 1 as Hopper's kernels take them: tensor maps, boxes of pixels, axes. Made of the products of
// implicit_gemm.h by conv_wgmma.cu.
#pragma once

#include "kernels/cuda/implicit_gemm.h"
#include "kernels/gpu/tensor_map.h"

namespace atrous::kernels::cuda {

// What a box spans in a tensor: powers of two.
struct PixelBox {
    int w = 1, h = 1, n = 1;
};

// An axis of stride 1: output p has its tap j on source p + origin + j * step.
struct TapAxis {
    int size = 1, source = 1, taps = 1, origin = 0, step = 0;

    // Whether tap j of all outputs in [low, high] lies in the padding.
    __host__ __device__ bool dead(int j, int low, int high) const {
        return high + origin + j * step < 0 || low + origin + j * step >= source;
    }
};

struct Range {
    int begin, end;  // [begin, end)
    __host__ __device__ int size() const { return end - begin; }
};

// The taps that are not dead for the outputs [low, high]; they are neighbours.
__host__ __device__ inline Range live_taps(const TapAxis& a, int low, int high) {
    Range live{0, a.taps};
    while (live.begin < live.end && a.dead(live.begin, low, high)) ++live.begin;
    while (live.begin < live.end && a.dead(live.end - 1, low, high)) --live.end;
    return live;
}

// The outputs that read the source by tap j.
__host__ __device__ inline Range reading_outputs(const TapAxis& a, int j) {
    const int first = -(a.origin + j * a.step), last = first + a.source;
    const int begin = first < 0 ? 0 : first, end = last < a.size ? last : a.size;
    return {begin, end < begin ? begin : end};
}

// An ImplicitGemm.
struct PixelProduct {
    gpu::TensorMap source;  // [images][h][w][depth], boxes of 64 channels
    // By depth: [columns][taps][depth], boxes of 64 x tile; else [depth][taps][columns], boxes of 64 x 64.
    gpu::TensorMap weights;
    gpu::TensorMap out;  // [images][h][w][columns], boxes as the source's
    const float* bias = nullptr;
    int depth = 0, columns = 0;
    bool weights_by_depth = false, accumulate = false;
    PixelBox box;
    int images = 1, boxes_w = 1, boxes_h = 1, boxes_n = 1;
    TapAxis h, w;

    int64_t boxes() const { return int64_t(boxes_w) * boxes_h * boxes_n; }
};

// A WgradGemm whose columns are (tap, channel).
struct WeightProduct {
    gpu::TensorMap gradient, source;  // [images][h][w][rows] and [images][h][w][channels], boxes of 64 channels
    int rows = 0, channels = 0;
    PixelBox box;
    int images = 1, boxes_n = 1;
    TapAxis h, w;          // the gradient's pixels are the outputs
    float* out = nullptr;  // [splits][rows][taps][channels]
    int splits = 1;
    bool accumulate = false;
};

// By blocks of 128 pixels and 64, 128 or 256 columns. The element type is bf16 or f16.
void implicit_gemm_wgmma(Queue&, const PixelProduct&, DType, int tile_columns);
// By tiles of 128x256, 128x128, 128x64 or 64x128, 64 pixels deep.
void wgrad_gemm_wgmma(Queue&, const WeightProduct&, DType, const TileSize&);

}  // namespace atrous::kernels::cuda
