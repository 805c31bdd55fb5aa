// Convolution on a GPU: the contract of kernels/conv.h in terms of two products, whose kernels (grid mapping, shared
// memory) are in implicit_gemm_*.cu and wgrad_gemm_*.cu.
//
//   forward            rows = output pixels, columns = O,         depth = (r, s, i)
//   input gradient     rows = input pixels,  columns = I,         depth = (r, s, o); stride^2 phases
//   weight gradient    rows = O,             columns = (r, s, i), depth = output pixels, split; then a fixed-order sum
#include "kernels/conv.h"

#include "kernels/cuda/conv_cudnn.h"
#include "kernels/cuda/conv_narrow.h"
#include "kernels/cuda/conv_padded.h"
#include "kernels/cuda/conv_wgmma.h"
#include "kernels/cuda/conv_work.h"

namespace atrous::kernels::cuda {

namespace {

// ---- kernels: see implicit_gemm.h --------------------------------------------------------------------------------

// ---- launchers --------------------------------------------------------------------------------------------------

// The axis whose outputs are `size`; a plain one reads x to make y, a transposed one reads dy to make dx.
Axis axis(int64_t size, int64_t source, int64_t taps, const ConvGeometry& g, bool transposed) {
    return {int(size), int(source), int(taps), g.stride, g.padding, g.dilation, transposed};
}

}  // namespace

PixelWork conv_forward_work(const ConvForwardArgs& a) {
    ImplicitGemm p;
    p.source = a.x.data, p.source_pitch = a.x.pitch, p.depth = int(a.x.c);
    p.weights = a.w.data;
    p.tap_stride = a.w.c, p.channel_stride = 1, p.column_stride = a.w.h * a.w.w * a.w.c;
    p.bias = static_cast<const float*>(a.bias);
    p.out = a.y.data, p.out_pitch = a.y.pitch, p.columns = int(a.y.c);
    p.images = int(a.y.n);
    p.h = axis(a.y.h, a.x.h, a.w.h, a.geometry, false);
    p.w = axis(a.y.w, a.x.w, a.w.w, a.geometry, false);
    p.moments = a.moments.data;
    return {"conv_forward", a.x.dtype, p};
}

PixelWork conv_input_gradient_work(const ConvBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    ImplicitGemm p;
    p.source = a.dy.data, p.source_pitch = a.dy.pitch, p.depth = int(a.dy.c);
    p.weights = a.w.data;
    p.tap_stride = a.w.c, p.channel_stride = a.w.h * a.w.w * a.w.c, p.column_stride = 1;
    p.out = dx.data, p.out_pitch = dx.pitch, p.columns = int(dx.c);
    p.accumulate = a.dx.accumulate;
    p.images = int(dx.n);
    p.h = axis(dx.h, a.dy.h, a.w.h, a.geometry, true);
    p.w = axis(dx.w, a.dy.w, a.w.w, a.geometry, true);
    return {"conv_backward_input", dx.dtype, p};
}

WeightWork conv_weight_gradient_work(const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    WgradGemm p;
    p.images = int(a.dy.n), p.height = int(a.dy.h), p.width = int(a.dy.w);
    p.a = {a.dy.data,
           a.dy.pitch,
           int(a.dy.c),
           int(a.dy.c),
           axis(a.dy.h, a.dy.h, 1, {}, false),
           axis(a.dy.w, a.dy.w, 1, {}, false)};
    p.b = {a.x.data,
           a.x.pitch,
           int(a.x.c),
           int(dw.h * dw.w * dw.c),
           axis(a.dy.h, a.x.h, dw.h, a.geometry, false),
           axis(a.dy.w, a.x.w, dw.w, a.geometry, false)};
    p.out = dw.as<float>(), p.accumulate = a.dw.accumulate;
    return {"conv_backward_weight", a.x.dtype, p};
}

// cuDNN, but for dilations for which it has no kernels of Hopper's where "wgmma" is behind it.
template <class Args>
static Implementation<Args> by_cudnn_if_near() {
    Implementation<Args> i = by_cudnn<Args>();
    i.faster = [](Queue& q, const Args& a) { return !wgmma_leads(a) && cudnn_is_fast(q, a); };
    return i;
}

KernelFamily<ConvForwardArgs>& conv_forward_family() {
    using Args = ConvForwardArgs;
    static KernelFamily<Args> family("conv_forward", "gpu",
                                     {by_cudnn_if_near<Args>(), by_narrow<Args>(), by_wgmma<Args>(),
                                      by_mma<conv_forward_work>(), by_padded<Args>(), by_simt<conv_forward_work>()});
    return family;
}

KernelFamily<ConvBackwardInputArgs>& conv_backward_input_family() {
    using Args = ConvBackwardInputArgs;
    static KernelFamily<Args> family("conv_backward_input", "gpu",
                                     {by_cudnn_if_near<Args>(), by_narrow<Args>(), by_wgmma<Args>(),
                                      by_mma<conv_input_gradient_work>(), by_simt<conv_input_gradient_work>()});
    return family;
}

KernelFamily<ConvBackwardWeightArgs>& conv_backward_weight_family() {
    using Args = ConvBackwardWeightArgs;
    static KernelFamily<Args> family(
        "conv_backward_weight", "gpu",
        {by_cudnn_if_near<Args>(), by_narrow<Args>(), by_wgmma<Args>(), by_mma<conv_weight_gradient_work>(),
         by_padded<Args>(), by_simt<conv_weight_gradient_work>()});
    return family;
}

void conv_moments_pixels(Queue& q, const ConvMomentsQuestion& question) {
    const std::string& by = conv_forward_family().choose(q, question.conv).name;
    const bool given = by == "mma" || by == "padded";
    question.pixels = given ? tile_rows_mma(conv_forward_work(question.conv).product) : 0;
}

void conv_forward(Queue& q, const ConvForwardArgs& a) {
    check(a);
    check_size(a.x, a.w, a.y);
    if (a.moments) {
        int64_t pixels = 0;
        conv_moments_pixels(q, {a, pixels});
        require(a.moments.pixels == pixels, "convolution: its moments are asked for in runs that it does not give");
    }
    conv_forward_family().run(q, a);
}

void conv_backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    check(a);
    check_size(a.dx.view, a.w, a.dy);
    conv_backward_input_family().run(q, a);
}

void conv_backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    check(a);
    if (a.dw) {
        check_size(a.x, a.dw.view, a.dy);
        conv_backward_weight_family().run(q, a);
    }
    if (a.dbias) run_channel_sums(q, a.dy, a.dbias, "conv_backward_weight");
}

}  // namespace atrous::kernels::cuda
