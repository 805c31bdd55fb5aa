// The lists of what computes a convolution on the cpu, and weight gradients as sums of outer products
// (weight_gradient.h).
#include "kernels/conv.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/conv_winograd.h"
#include "kernels/cpu/weight_gradient.h"
#include "kernels/cpu/widen.h"

namespace atrous::kernels::cpu {

// Each in the file of its name.
Implementation<ConvForwardArgs> forward_by_dnnl();
Implementation<ConvBackwardInputArgs> backward_input_by_dnnl();
Implementation<ConvBackwardWeightArgs> backward_weight_by_dnnl();
Implementation<ConvForwardArgs> forward_by_taps();
Implementation<ConvBackwardInputArgs> backward_input_by_taps();
Implementation<ConvForwardArgs> forward_by_im2col();
Implementation<ConvBackwardInputArgs> backward_input_by_im2col();

namespace {

// What this backend demands besides.
void check_for_cpu(const View& x, const View& y) {
    require(x.dense() && y.dense(), "convolution on the cpu: tensors must be dense");
    if (x.dtype != DType::f32 && x.dtype != DType::bf16 && x.dtype != DType::f64)
        unsupported_dtype("convolution on the cpu", x.dtype);
}

WeightGradient problem_of(const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    return {.image = a.x,
            .gradient = a.dy,
            .r = dw.h,
            .s = dw.w,
            .geometry = a.geometry,
            .dw = dw.data,
            .g_stride = dw.h * dw.w * dw.c,
            .r_stride = dw.w * dw.c,
            .s_stride = dw.c,
            .c_stride = 1,
            .accumulate = a.dw.accumulate};
}

bool pairs_support(Queue&, const ConvBackwardWeightArgs& a) { return a.x.dtype == DType::bf16; }
bool pairs_are_faster(Queue&, const ConvBackwardWeightArgs& a) { return pairs_are_faster(problem_of(a)); }

void backward_weight_by_pairs(Queue& q, const ConvBackwardWeightArgs& a) {
    if (a.dbias) channel_sums(q, a.dy, a.dbias);
    ran("conv_backward_weight/pairs_bf16");
    weight_gradient_of_pairs(q, problem_of(a));
}

void backward_weight_by_outer(Queue& q, const ConvBackwardWeightArgs& a) {
    if (a.dbias) channel_sums(q, a.dy, a.dbias);
    ran(a.x.dtype == DType::f64 ? "conv_backward_weight/outer_f64" : "conv_backward_weight/outer_f32");
    if (a.x.dtype == DType::f64) return weight_gradient<double>(q, problem_of(a));
    if (a.x.dtype == DType::f32) return weight_gradient<float>(q, problem_of(a));
    weight_gradient<float>(q, problem_of({widened(q, a.x), widened(q, a.dy), a.dw, {}, a.geometry}));
}

}  // namespace

KernelFamily<ConvForwardArgs>& conv_forward_family() {
    static KernelFamily<ConvForwardArgs> family("conv_forward", "cpu",
                                                {forward_by_winograd<4>(), forward_by_winograd<2>(), forward_by_taps(),
                                                 forward_by_dnnl(), forward_by_im2col()});
    return family;
}

KernelFamily<ConvBackwardInputArgs>& conv_backward_input_family() {
    static KernelFamily<ConvBackwardInputArgs> family(
        "conv_backward_input", "cpu",
        {backward_input_by_winograd<4>(), backward_input_by_winograd<2>(), backward_input_by_taps(),
         backward_input_by_dnnl(), backward_input_by_im2col()});
    return family;
}

KernelFamily<ConvBackwardWeightArgs>& conv_backward_weight_family() {
    static KernelFamily<ConvBackwardWeightArgs> family("conv_backward_weight", "cpu",
                                                       {{.name = "pairs",
                                                         .needs = "bf16",
                                                         .supports = pairs_support,
                                                         .faster = pairs_are_faster,
                                                         .run = backward_weight_by_pairs},
                                                        backward_weight_by_winograd<4>(),
                                                        backward_weight_by_winograd<2>(),
                                                        backward_weight_by_dnnl(),
                                                        {.name = "outer", .run = backward_weight_by_outer}});
    return family;
}

void conv_forward(Queue& q, const ConvForwardArgs& a) {
    check(a);
    check_for_cpu(a.x, a.y);
    conv_forward_family().run(q, a);
}

void conv_backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    check(a);
    check_for_cpu(a.dx.view, a.dy);
    conv_backward_input_family().run(q, a);
}

void conv_backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    check(a);
    if (!a.dw) {
        if (a.dbias) channel_sums(q, a.dy, a.dbias);
        return;
    }
    check_for_cpu(a.x, a.dy);
    conv_backward_weight_family().run(q, a);
}

}  // namespace atrous::kernels::cpu
