// The 2x2 stride-2 transposed convolution on a GPU: the contract of kernels/conv_transpose.h in terms of the products
// of convolution, whose kernels (grid, shared memory) are in implicit_gemm_*.cu and wgrad_gemm_*.cu. As 2x2 blocks do
// not overlap, it is the input gradient of a convolution with that kernel and stride, and its gradients are that one's
// others:
//
//   forward            four phases; rows = input pixels, columns = O, depth = i, stored to one pixel of the 2x2 block
//   input gradient     rows = input pixels, columns = I, depth = (a, b, o)
//   weight gradient    rows = (a, b, o), columns = I, depth = input pixels, split; then a sum in a fixed order
#include "kernels/conv_transpose.h"

#include "base/error.h"
#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels: see implicit_gemm.h --------------------------------------------------------------------------------

// ---- launchers --------------------------------------------------------------------------------------------------

// Two taps at stride 2: `from_small` where the axis makes the large image from the small one.
Axis axis(int64_t small, bool from_small) {
    return from_small ? Axis{int(2 * small), int(small), 2, 2, 0, 1, true}
                      : Axis{int(small), int(2 * small), 2, 2, 0, 1, false};
}

PixelWork forward_work(const ConvTransposeForwardArgs& a) {
    ImplicitGemm p;
    p.source = a.x.data, p.source_pitch = a.x.pitch, p.depth = int(a.x.c);
    p.weights = a.w.data;
    p.tap_stride = a.w.w * a.w.c, p.channel_stride = 1, p.column_stride = a.w.c;
    p.bias = static_cast<const float*>(a.bias);
    p.out = a.y.data, p.out_pitch = a.y.pitch, p.columns = int(a.y.c);
    p.images = int(a.y.n);
    p.h = axis(a.x.h, true), p.w = axis(a.x.w, true);
    return {"conv_transpose_forward", a.x.dtype, p};
}

PixelWork input_gradient_work(const ConvTransposeBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    ImplicitGemm p;
    p.source = a.dy.data, p.source_pitch = a.dy.pitch, p.depth = int(a.dy.c);
    p.weights = a.w.data;
    p.tap_stride = a.w.w * a.w.c, p.channel_stride = a.w.c, p.column_stride = 1;
    p.out = dx.data, p.out_pitch = dx.pitch, p.columns = int(dx.c);
    p.accumulate = a.dx.accumulate;
    p.images = int(dx.n);
    p.h = axis(dx.h, false), p.w = axis(dx.w, false);
    return {"conv_transpose_backward_input", dx.dtype, p};
}

WeightWork weight_gradient_work(const ConvTransposeBackwardWeightArgs& a) {
    const auto own = [](int64_t size) { return Axis{int(size), int(size), 1, 1, 0, 1, false}; };
    WgradGemm p;
    p.images = int(a.x.n), p.height = int(a.x.h), p.width = int(a.x.w);
    p.a = {a.dy.data, a.dy.pitch, int(a.dy.c), int(4 * a.dy.c), axis(a.x.h, false), axis(a.x.w, false)};
    p.b = {a.x.data, a.x.pitch, int(a.x.c), int(a.x.c), own(a.x.h), own(a.x.w)};
    p.out = a.dw.view.as<float>(), p.accumulate = a.dw.accumulate;
    return {"conv_transpose_backward_weight", a.x.dtype, p};
}

}  // namespace

KernelFamily<ConvTransposeForwardArgs>& conv_transpose_forward_family() {
    static KernelFamily<ConvTransposeForwardArgs> family("conv_transpose_forward", "gpu",
                                                         {by_mma<forward_work>(), by_simt<forward_work>()});
    return family;
}

KernelFamily<ConvTransposeBackwardInputArgs>& conv_transpose_backward_input_family() {
    static KernelFamily<ConvTransposeBackwardInputArgs> family(
        "conv_transpose_backward_input", "gpu", {by_mma<input_gradient_work>(), by_simt<input_gradient_work>()});
    return family;
}

KernelFamily<ConvTransposeBackwardWeightArgs>& conv_transpose_backward_weight_family() {
    static KernelFamily<ConvTransposeBackwardWeightArgs> family(
        "conv_transpose_backward_weight", "gpu", {by_mma<weight_gradient_work>(), by_simt<weight_gradient_work>()});
    return family;
}

void conv_transpose_forward(Queue& q, const ConvTransposeForwardArgs& a) {
    check(a);
    check_size(a.x, a.w, a.y);
    conv_transpose_forward_family().run(q, a);
}

void conv_transpose_backward_input(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    check(a);
    check_size(a.dx.view, a.w, a.dy);
    conv_transpose_backward_input_family().run(q, a);
}

void conv_transpose_backward_weight(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    check(a);
    if (a.dw) {
        check_size(a.x, a.dw.view, a.dy);
        conv_transpose_backward_weight_family().run(q, a);
    }
    if (a.dbias) run_channel_sums(q, a.dy, a.dbias, "conv_transpose_backward_weight");
}

}  // namespace atrous::kernels::cuda
