// Transposed convolution with a 2x2 kernel and stride 2: every input pixel becomes a 2x2 block.
//
//   y[n, 2h+a, 2w+b, o] = bias[o] + sum_i x[n,h,w,i] * w[a,b,o,i]
//
// x [N][H][W][I], y [N][2H][2W][O]; weights are stored [2][2][O][I] dense (View n=2, h=2, w=O, c=I), so that the two
// columns of one output row are one product of width 2*O. Element types as in conv.h.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/implementation.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct ConvTransposeForwardArgs {
    View x, w;
    const void* bias = nullptr;  // [O] or absent
    View y;
};
struct ConvTransposeBackwardInputArgs {
    View dy, w;
    GradTarget dx;
};
struct ConvTransposeBackwardWeightArgs {
    View x, dy;
    GradTarget dw;  // [2][2][O][I], accumulator type
    VectorGradTarget dbias;
};

// For tuners: what the choice of an implementation may depend on, in words; and the problem on other memory.
// clang-format off
std::string problem_text(const ConvTransposeForwardArgs&, MathMode);
std::string problem_text(const ConvTransposeBackwardInputArgs&, MathMode);
std::string problem_text(const ConvTransposeBackwardWeightArgs&, MathMode);
void place_problem(ConvTransposeForwardArgs&, const OperandMemory&);
void place_problem(ConvTransposeBackwardInputArgs&, const OperandMemory&);
void place_problem(ConvTransposeBackwardWeightArgs&, const OperandMemory&);
// clang-format on

// What every implementation requires.
inline void check_transposed_convolution(const View& x, const View& w, const View& y) {
    require(w.n == 2 && w.h == 2 && w.dense(), "transposed convolution: weights must be [2][2][O][I], dense");
    require(x.c == w.c && y.c == w.w && x.n == y.n, "transposed convolution: channels or batch do not match");
    require(y.h == 2 * x.h && y.w == 2 * x.w, "transposed convolution: the output must be twice the input's size");
    require(x.count() > 0 && y.count() > 0, "transposed convolution: a tensor is empty");
    require(x.dtype == y.dtype, "transposed convolution: x and y differ in element type");
}
inline void check(const ConvTransposeForwardArgs& a) {
    check_transposed_convolution(a.x, a.w, a.y);
    require(a.w.dtype == a.x.dtype, "transposed convolution: x and weights differ in element type");
}
inline void check(const ConvTransposeBackwardInputArgs& a) {
    check_transposed_convolution(a.dx.view, a.w, a.dy);
    require(a.w.dtype == a.dy.dtype, "transposed convolution: dy and weights differ in element type");
}
inline void check(const ConvTransposeBackwardWeightArgs& a) {
    if (!a.dw) return;
    check_transposed_convolution(a.x, a.dw.view, a.dy);
    require(a.dw.view.dtype == accumulator_of(a.x.dtype),
            "transposed convolution: the weights' gradient must be of x's accumulator type");
}

// What runs is chosen from the function's family. That of the weight gradient is asked where there is a dw; dbias is
// summed beside it.
// clang-format off
namespace reference {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
}
namespace cpu {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
KernelFamily<ConvTransposeForwardArgs>& conv_transpose_forward_family();
KernelFamily<ConvTransposeBackwardInputArgs>& conv_transpose_backward_input_family();
KernelFamily<ConvTransposeBackwardWeightArgs>& conv_transpose_backward_weight_family();
}
namespace cuda {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
KernelFamily<ConvTransposeForwardArgs>& conv_transpose_forward_family();
KernelFamily<ConvTransposeBackwardInputArgs>& conv_transpose_backward_input_family();
KernelFamily<ConvTransposeBackwardWeightArgs>& conv_transpose_backward_weight_family();
}
// clang-format on

}  // namespace atrous::kernels
