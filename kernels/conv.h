// Two-dimensional convolution (cross-correlation) with stride, zero padding and dilation.
//
//   y[n,p,q,o] = bias[o] + sum_{r,s,i} w[o,r,s,i]
//                          * x[n, p*stride - padding + r*dilation, q*stride - padding + s*dilation, i]
//
// x [N][H][W][I], w [O][R][S][I] dense, y [N][P][Q][O] with P = (H + 2*padding - dilation*(R-1) - 1) / stride + 1.
// x, w and y have one element type; bias, dw and dbias have accumulator_of(it): parameter gradients of half-precision
// layers are float. Sums are in that type too. Any channel count works; multiples of 8 are the fast path on GPUs.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/implementation.h"
#include "kernels/moments.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct ConvGeometry {
    int stride = 1, padding = 0, dilation = 1;
    // Output size along one axis; at most 0 where the kernel does not fit.
    int64_t output_size(int64_t in, int64_t kernel) const {
        const int64_t span = in + 2 * padding - dilation * (kernel - 1) - 1;
        return span < 0 ? 0 : span / stride + 1;
    }
};

struct ConvForwardArgs {
    View x, w;
    const void* bias = nullptr;  // [O] or absent
    View y;
    ConvGeometry geometry;
    ChannelMoments moments = {};  // of y, to be written with it; in runs as ConvMomentsQuestion is answered
    // How a pixel of y is rounded is not to depend on where in the image it lies (on the cpu; on GPUs it means nothing).
    bool same_everywhere = false;
};

// How many pixels a run of y's moments has with the implementation that computes y; 0: it gives none.
struct ConvMomentsQuestion {
    const ConvForwardArgs& conv;
    int64_t& pixels;
};

struct ConvBackwardInputArgs {
    View dy, w;
    GradTarget dx;
    ConvGeometry geometry;
    // The same of dx, which besides is exactly zero where all dy that reach it are (on the cpu).
    bool same_everywhere = false;
};

struct ConvBackwardWeightArgs {
    View x, dy;
    GradTarget dw;           // [O][R][S][I], accumulator type
    VectorGradTarget dbias;  // [O]
    ConvGeometry geometry;
};

// For tuners: what the choice of an implementation may depend on, in words; and the problem on other memory.
// clang-format off
std::string problem_text(const ConvForwardArgs&, MathMode);
std::string problem_text(const ConvBackwardInputArgs&, MathMode);
std::string problem_text(const ConvBackwardWeightArgs&, MathMode);
void place_problem(ConvForwardArgs&, const OperandMemory&);
void place_problem(ConvBackwardInputArgs&, const OperandMemory&);
void place_problem(ConvBackwardWeightArgs&, const OperandMemory&);
// clang-format on

// What every implementation requires.
inline void check_convolution(const View& x, const View& w, const View& y, const ConvGeometry& g) {
    require(g.stride >= 1 && g.dilation >= 1 && g.padding >= 0,
            "convolution: stride and dilation start at 1, padding at 0");
    require(x.c == w.c && y.c == w.n && x.n == y.n, "convolution: channels or batch of x, w and y do not match");
    require(y.h == g.output_size(x.h, w.h) && y.w == g.output_size(x.w, w.w),
            "convolution: output size does not match");
    require(x.count() > 0 && y.count() > 0, "convolution: a tensor is empty");
    require(x.dtype == y.dtype, "convolution: x and y differ in element type");
}
inline void check(const ConvForwardArgs& a) {
    check_convolution(a.x, a.w, a.y, a.geometry);
    require(a.w.dense() && a.w.dtype == a.x.dtype, "convolution: weights must be dense and of x's element type");
}
inline void check(const ConvBackwardInputArgs& a) {
    check_convolution(a.dx.view, a.w, a.dy, a.geometry);
    require(a.w.dense() && a.w.dtype == a.dy.dtype, "convolution: weights must be dense and of dy's element type");
}
inline void check(const ConvBackwardWeightArgs& a) {
    if (!a.dw) return;
    check_convolution(a.x, a.dw.view, a.dy, a.geometry);
    require(a.dw.view.dense() && a.dw.view.dtype == accumulator_of(a.x.dtype),
            "convolution: the weights' gradient must be dense and of x's accumulator type");
}

// What runs is chosen from the function's family. That of the weight gradient is asked where there is a dw; on the cpu
// its implementations compute dbias too, on a GPU it is summed beside them.
// clang-format off
namespace reference {
void conv_forward(Queue&, const ConvForwardArgs&);
void conv_backward_input(Queue&, const ConvBackwardInputArgs&);
void conv_backward_weight(Queue&, const ConvBackwardWeightArgs&);
}
namespace cpu {  // x, y and their gradients dense
bool has_bf16_convolutions();  // this processor has what they need: AVX-512
void conv_forward(Queue&, const ConvForwardArgs&);
void conv_backward_input(Queue&, const ConvBackwardInputArgs&);
void conv_backward_weight(Queue&, const ConvBackwardWeightArgs&);
KernelFamily<ConvForwardArgs>& conv_forward_family();
KernelFamily<ConvBackwardInputArgs>& conv_backward_input_family();
KernelFamily<ConvBackwardWeightArgs>& conv_backward_weight_family();
}
namespace cuda {
void conv_moments_pixels(Queue&, const ConvMomentsQuestion&);
void conv_forward(Queue&, const ConvForwardArgs&);
void conv_backward_input(Queue&, const ConvBackwardInputArgs&);
void conv_backward_weight(Queue&, const ConvBackwardWeightArgs&);
KernelFamily<ConvForwardArgs>& conv_forward_family();
KernelFamily<ConvBackwardInputArgs>& conv_backward_input_family();
KernelFamily<ConvBackwardWeightArgs>& conv_backward_weight_family();
}
// clang-format on

}  // namespace atrous::kernels
