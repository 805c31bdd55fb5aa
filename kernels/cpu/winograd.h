// Convolutions of f32 with kernels of 3x3 and stride 1 by Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4: 2.25
// and 4 times fewer products than a direct sum has (winograd_transforms.h). Sums have an order that the shape fixes,
// whatever the number of threads. A pixel's rounding depends on its place in its tile, and so on where the image begins.
//
// It is chosen by shape alone, tiles of 4x4 before tiles of 2x2, and never in evaluations: from 16 channels on both sides, of
// which panels (two vectors) are three quarters full; where at least half of the tiles' pixels lie in the image; from 24
// tiles on, and in_channels * out_channels / 8192 of them. Below, transforms of weights and pixels, and reading the
// transformed weights, cost what products save.
//
// Largest error against sums in double, as a share of the largest value (a U-Net's layers to 512 channels, random data):
// 3.4e-6 of tiles of 4x4, 8.5e-7 of 2x2, 2.1e-6 of direct sums (docs/performance-notes.md).
#pragma once

#include "kernels/conv.h"

namespace atrous::kernels::cpu::winograd {

struct Convolution {
    View x, y;  // dense
    // The weight of tap t (0 to 8), input channel c and output channel o: w[t * w_t + c * w_c + o * w_o].
    const float* w = nullptr;
    int64_t w_t = 0, w_c = 0, w_o = 0;
    const float* bias = nullptr;  // [y.c] or absent
    int64_t padding = 0, dilation = 1;
    bool accumulate = false;
};

template <int m>
void convolve(Queue&, const Convolution&);

template <int m>
void weight_gradient(Queue&, const ConvBackwardWeightArgs&);  // without dbias

}  // namespace atrous::kernels::cpu::winograd
