// Depthwise convolution: every channel with a kernel of its own (torch.nn.Conv2d with groups = channels).
//
//   y[n,p,q,c] = bias[c] + sum_{r,s} w[r,s,c]
//                          * x[n, p*stride - padding + r*dilation, q*stride - padding + s*dilation, c]
//
// x [N][H][W][C], w the view [1][R][S][C], dense, y [N][P][Q][C]; P and Q as in kernels/conv.h. x, w and y have one
// element type, activations may be pitched; bias, dw and dbias have accumulator_of(it), and so have the sums.
#pragma once

#include "base/error.h"
#include "kernels/conv.h"

namespace atrous::kernels {

struct DepthwiseForwardArgs {
    View x, w;
    const void* bias = nullptr;  // [C] or absent
    View y;
    ConvGeometry geometry;
};
struct DepthwiseBackwardInputArgs {
    View dy, w;
    GradTarget dx;
    ConvGeometry geometry;
};
struct DepthwiseBackwardWeightArgs {
    View x, dy;
    GradTarget dw;           // [1][R][S][C], accumulator type; absent if not wanted
    VectorGradTarget dbias;  // [C]
    ConvGeometry geometry;
};

// What every implementation requires.
inline void check_depthwise(const View& x, const View& w, const View& y, const ConvGeometry& g) {
    require(x.c == w.c && x.c == y.c && x.n == y.n && w.n == 1 && w.dense() && x.dtype == y.dtype,
            "depthwise convolution: channels, batch or element type of x, w and y do not match");
    require(g.stride >= 1 && g.dilation >= 1 && g.padding >= 0 && y.h == g.output_size(x.h, w.h) &&
                y.w == g.output_size(x.w, w.w),
            "depthwise convolution: output size does not match");
}
inline void check(const DepthwiseForwardArgs& a) {
    check_depthwise(a.x, a.w, a.y, a.geometry);
    require(a.w.dtype == a.x.dtype, "depthwise convolution: weights must have x's element type");
}
inline void check(const DepthwiseBackwardInputArgs& a) {
    check_depthwise(a.dx.view, a.w, a.dy, a.geometry);
    require(a.w.dtype == a.dy.dtype, "depthwise convolution: weights must have dy's element type");
}
inline void check(const DepthwiseBackwardWeightArgs& a) {
    if (!a.dw) return;
    check_depthwise(a.x, a.dw.view, a.dy, a.geometry);
    require(a.dw.view.dtype == accumulator_of(a.x.dtype),
            "depthwise convolution: the weights' gradient must be of x's accumulator type");
}

// clang-format off
namespace reference {
void depthwise_forward(Queue&, const DepthwiseForwardArgs&);
void depthwise_backward_input(Queue&, const DepthwiseBackwardInputArgs&);
void depthwise_backward_weight(Queue&, const DepthwiseBackwardWeightArgs&);
}
namespace cpu {
void depthwise_forward(Queue&, const DepthwiseForwardArgs&);
void depthwise_backward_input(Queue&, const DepthwiseBackwardInputArgs&);
void depthwise_backward_weight(Queue&, const DepthwiseBackwardWeightArgs&);
}
namespace cuda {
void depthwise_forward(Queue&, const DepthwiseForwardArgs&);
void depthwise_backward_input(Queue&, const DepthwiseBackwardInputArgs&);
void depthwise_backward_weight(Queue&, const DepthwiseBackwardWeightArgs&);
}
// clang-format on

}  // namespace atrous::kernels
