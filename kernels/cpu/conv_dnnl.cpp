// Convolutions of f32 and bf16 by oneDNN, weight gradients of bf16 alone: those of f32 are faster here without it.
#include <algorithm>
#include <optional>

#include "kernels/conv.h"
#include "kernels/cpu/dnnl.h"
#include "kernels/cpu/widen.h"

namespace atrous::kernels::cpu {

namespace {

DnnlConv describe(Queue& q, const char* contract, Pass pass, const View& x, const View& w, const View& y,
                  const ConvGeometry& g) {
    return {.contract = contract,
            .pass = pass,
            .dtype = x.dtype,
            .n = x.n,
            .h = x.h,
            .w = x.w,
            .c = x.c,
            .p = y.h,
            .q = y.w,
            .o = y.c,
            .r = w.h,
            .s = w.w,
            .stride = g.stride,
            .padding = g.padding,
            .dilation = g.dilation,
            .w_strides = {w.h * w.w * w.c, 1, w.w * w.c, w.c},
            .threads = q.threads()};
}

// ---- forward

DnnlConv forward_problem(Queue& q, const ConvForwardArgs& a) {
    DnnlConv c = describe(q, "conv_forward", Pass::forward, a.x, a.w, a.y, a.geometry);
    c.bias = a.bias != nullptr;
    return c;
}

bool supports_forward(Queue& q, const ConvForwardArgs& a) { return dnnl_supports(q, forward_problem(q, a)); }

void forward(Queue& q, const ConvForwardArgs& a) {
    dnnl_convolution(q, forward_problem(q, a), a.x.data, a.w.data, a.bias, a.y.data);
}

// ---- input gradient

// In f32 and at stride 1, oneDNN's forward kernels are faster than its backward ones: dx is the convolution of dy with
// the weights turned by half a turn. They also add to dx without a pass of their own. None where that does not apply.
std::optional<DnnlConv> turned_problem(Queue& q, const ConvBackwardInputArgs& a) {
    const View &w = a.w, &dx = a.dx.view;
    const int64_t padding = a.geometry.dilation * (w.h - 1) - a.geometry.padding;
    if (dx.dtype != DType::f32 || a.geometry.stride != 1 || w.h != w.w || padding < 0) return std::nullopt;
    DnnlConv c = describe(q, "conv_backward_input", Pass::forward, a.dy, w, dx, a.geometry);
    c.padding = padding;
    c.w_strides = {1, w.h * w.w * w.c, w.w * w.c, w.c};
    c.accumulate = a.dx.accumulate;
    return dnnl_supports(q, c) ? std::optional(c) : std::nullopt;
}

DnnlConv backward_input_problem(Queue& q, const ConvBackwardInputArgs& a) {
    return describe(q, "conv_backward_input", Pass::backward_input, a.dx.view, a.w, a.dy, a.geometry);
}

bool supports_backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    return turned_problem(q, a) || dnnl_supports(q, backward_input_problem(q, a));
}

const float* turned_weights(Queue& q, const View& w) {
    const int64_t taps = w.h * w.w;
    if (taps == 1) return w.as<float>();
    float* copy = q.scratch<float>(w.count());
    parallel_each(q, w.n * taps, w.count(), [&](int64_t i) {
        std::copy_n(w.as<float>() + i * w.c, w.c, copy + (i / taps * taps + taps - 1 - i % taps) * w.c);
    });
    return copy;
}

void backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    if (const auto c = turned_problem(q, a))
        return dnnl_convolution(q, *c, a.dy.data, turned_weights(q, a.w), nullptr, dx.data);
    View to = dx;
    if (a.dx.accumulate) to = dx.dtype == DType::f32 ? space_for<float>(q, dx) : space_for<bf16>(q, dx);
    dnnl_convolution(q, backward_input_problem(q, a), to.data, a.w.data, nullptr, a.dy.data);
    if (!a.dx.accumulate) return;
    dx.dtype == DType::f32 ? copy_values<float, float>(q, to, dx, true) : copy_values<bf16, bf16>(q, to, dx, true);
}

// ---- weight gradient

bool reads_every_other_pixel(const ConvBackwardWeightArgs& a) {
    return a.dw.view.h * a.dw.view.w == 1 && a.geometry.stride > 1;
}

// The pixels of x that a strided 1x1 convolution reads, without their place.
View subsample_of(const ConvBackwardWeightArgs& a) {
    View v = a.dy;
    v.c = v.pitch = a.x.c;
    return v;
}

View subsampled(Queue& q, const ConvBackwardWeightArgs& a) {
    const View &x = a.x, &y = a.dy;
    const int64_t stride = a.geometry.stride;
    const View copy = space_for<bf16>(q, subsample_of(a));
    parallel_each(q, y.n * y.h, copy.count(), [&](int64_t row) {
        const bf16* from = x.as<bf16>() + (row / y.h * x.h + row % y.h * stride) * x.w * x.c;
        bf16* to = copy.as<bf16>() + row * y.w * x.c;
        for (int64_t i = 0; i < y.w; ++i) std::copy_n(from + i * stride * x.c, x.c, to + i * x.c);
    });
    return copy;
}

DnnlConv backward_weight_problem(Queue& q, const ConvBackwardWeightArgs& a) {
    const bool subsamples = reads_every_other_pixel(a);
    ConvGeometry geometry = a.geometry;
    if (subsamples) geometry.stride = 1;
    DnnlConv c = describe(q, "conv_backward_weight", Pass::backward_weight, subsamples ? subsample_of(a) : a.x,
                          a.dw.view, a.dy, geometry);
    c.bias = bool(a.dbias);
    return c;
}

bool supports_backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    if (a.x.dtype != DType::bf16) return false;
    // Two defects of oneDNN 2.6: it leaves the gradient of a tap that never meets the image unwritten, and at 1x1 with
    // a stride it writes past its workspace.
    if (a.x.h <= a.geometry.dilation * (dw.h - 1) || a.x.w <= a.geometry.dilation * (dw.w - 1)) return false;
    if (reads_every_other_pixel(a) && a.geometry.padding > 0) return false;
    return dnnl_supports(q, backward_weight_problem(q, a));
}

void backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    const View &dw = a.dw.view, x = reads_every_other_pixel(a) ? subsampled(q, a) : a.x;
    const View bias = vector_view(a.dbias.as<float>(), a.dy.c);
    const View dw_to = a.dw.accumulate ? space_for<float>(q, dw) : dw;
    const View bias_to = a.dbias && a.dbias.accumulate ? space_for<float>(q, bias) : bias;
    dnnl_convolution(q, backward_weight_problem(q, a), x.data, dw_to.data, bias_to.data, a.dy.data);
    if (dw_to.data != dw.data) copy_values<float, float>(q, dw_to, dw, true);
    if (bias_to.data != bias.data) copy_values<float, float>(q, bias_to, bias, true);
}

}  // namespace

Implementation<ConvForwardArgs> forward_by_dnnl() {
    return {.name = "dnnl", .provider = "oneDNN", .needs = "f32 or bf16", .supports = supports_forward, .run = forward};
}
Implementation<ConvBackwardInputArgs> backward_input_by_dnnl() {
    return {.name = "dnnl",
            .provider = "oneDNN",
            .needs = "f32 or bf16",
            .supports = supports_backward_input,
            .run = backward_input};
}
Implementation<ConvBackwardWeightArgs> backward_weight_by_dnnl() {
    return {.name = "dnnl",
            .provider = "oneDNN",
            .needs = "bf16",
            .supports = supports_backward_weight,
            .run = backward_weight};
}

}  // namespace atrous::kernels::cpu
