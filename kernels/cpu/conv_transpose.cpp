// "dnnl", of bf16: oneDNN products forward; backward, the roles of input and output swapped, a 2x2 stride-2 convolution
// of dy is the input gradient, and its weight gradient ours. "rows": products over strided rows. "outer": sums of outer
// products (weight_gradient.h).
#include "kernels/conv_transpose.h"

#include <algorithm>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/dnnl.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/weight_gradient.h"
#include "kernels/cpu/widen.h"

namespace atrous::kernels::cpu {

namespace {

// Offsets of the four pixels of a 2x2 block of y, in the order of the weights.
std::vector<int64_t> block_offsets(const View& y) { return {0, y.pitch, y.w * y.pitch, (y.w + 1) * y.pitch}; }

// The upper left pixel of each block, as the rows of a matrix.
template <class T>
Rows<T> blocks(const View& y) {
    return {y.as<std::remove_const_t<T>>(), 2 * y.pitch, 2 * y.w * y.pitch, y.w / 2};
}

template <class T>
void forward(Queue& q, const ConvTransposeForwardArgs& a) {
    Product<T> p;
    p.m = a.x.pixels();
    p.n = a.y.c;
    p.k = a.x.c;
    p.a = {a.x.as<T>(), a.x.pitch};
    p.b = a.w.as<T>();
    p.b_k = 1;
    p.b_n = a.x.c;
    p.b_group = a.y.c * a.x.c;
    p.c = blocks<T>(a.y);
    p.c_parts = block_offsets(a.y);
    p.bias = static_cast<const T*>(a.bias);
    multiply(q, p, pack(q, p));
}

template <class T>
void backward_input(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    Product<T> p;
    p.m = dx.pixels();
    p.n = dx.c;
    p.k = a.dy.c;
    p.a = blocks<const T>(a.dy);
    p.a_parts = block_offsets(a.dy);
    p.b = a.w.as<T>();
    p.b_k = dx.c;
    p.b_n = 1;
    p.b_part = a.dy.c * dx.c;
    p.c = {dx.as<T>(), dx.pitch};
    p.accumulate = a.dx.accumulate;
    multiply(q, p, pack(q, p));
}

template <class T>
void backward_weight(Queue& q, const View& x, const View& dy, const GradTarget& dw) {
    const int64_t i = x.c, o = dy.c;
    weight_gradient<T>(q, {.image = dy,
                           .gradient = x,
                           .r = 2,
                           .s = 2,
                           .geometry = {.stride = 2},
                           .dw = dw.view.data,
                           .g_stride = 1,
                           .r_stride = 2 * o * i,
                           .s_stride = o * i,
                           .c_stride = i,
                           .accumulate = dw.accumulate});
}

// ---- oneDNN

View dense(Queue& q, const View& v) {
    if (v.dense()) return v;
    const View copy = space_for<bf16>(q, v);
    copy_values<bf16, bf16>(q, v, copy);
    return copy;
}

// Row by row of x and parity of y: [W][I] times [I][2*O], or times [I][O] twice where y's pixels are apart.
int64_t halves_of(const View& y) { return y.dense() ? 1 : 2; }

DnnlProduct forward_problem(Queue& q, const ConvTransposeForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    return {.contract = "conv_transpose_forward",
            .batch = x.n * x.h,
            .m = x.w,
            .n = 2 / halves_of(y) * y.c,
            .k = x.c,
            .bias = a.bias != nullptr,
            .a_strides = {x.w * x.pitch, x.pitch},
            .b_strides = {1, x.c},
            .c_strides = {2 * y.w * y.pitch, 2 * y.pitch},
            .threads = q.threads()};
}

bool dnnl_supports_forward(Queue& q, const ConvTransposeForwardArgs& a) {
    return a.x.dtype == DType::bf16 && dnnl_supports(q, forward_problem(q, a));
}

void forward_by_dnnl(Queue& q, const ConvTransposeForwardArgs& args) {
    const View &x = args.x, &y = args.y;
    const int64_t halves = halves_of(y), o = y.c;
    const DnnlProduct product = forward_problem(q, args);
    float* bias = nullptr;
    if (args.bias) {
        bias = q.scratch<float>(2 * o);
        if (!q.is_dry_run())
            for (int64_t b = 0; b < 2; ++b) std::copy_n(static_cast<const float*>(args.bias), o, bias + b * o);
    }
    for (int64_t part = 0; part < 2 * halves; ++part) {
        const int64_t a = part / halves, b = part % halves;
        dnnl_product(q, product, x.data, args.w.as<bf16>() + part * product.n * x.c, bias,
                     y.as<bf16>() + (a * y.w + b) * y.pitch);
    }
}

DnnlConv swapped(Queue& q, const char* contract, Pass pass, const View& x, const View& dy) {
    const int64_t i = x.c, o = dy.c;
    return {.contract = contract,
            .pass = pass,
            .dtype = x.dtype,
            .n = x.n,
            .h = dy.h,
            .w = dy.w,
            .c = o,
            .p = x.h,
            .q = x.w,
            .o = i,
            .r = 2,
            .s = 2,
            .stride = 2,
            .w_strides = {1, i, 2 * o * i, o * i},
            .threads = q.threads()};
}

DnnlConv backward_input_problem(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    DnnlConv c = swapped(q, "conv_transpose_backward_input", Pass::forward, a.dx.view, a.dy);
    c.accumulate = a.dx.accumulate;
    return c;
}

bool dnnl_supports_backward_input(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    return a.dy.dtype == DType::bf16 && a.dx.view.dense() && dnnl_supports(q, backward_input_problem(q, a));
}

void backward_input_by_dnnl(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    dnnl_convolution(q, backward_input_problem(q, a), dense(q, a.dy).data, a.w.data, nullptr, a.dx.view.data);
}

DnnlConv backward_weight_problem(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    return swapped(q, "conv_transpose_backward_weight", Pass::backward_weight, a.x, a.dy);
}

bool dnnl_supports_backward_weight(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    return a.x.dtype == DType::bf16 && dnnl_supports(q, backward_weight_problem(q, a));
}

void backward_weight_by_dnnl(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    const View &dw = a.dw.view, to = a.dw.accumulate ? space_for<float>(q, dw) : dw;
    dnnl_convolution(q, backward_weight_problem(q, a), dense(q, a.dy).data, to.data, nullptr, dense(q, a.x).data);
    if (a.dw.accumulate) copy_values<float, float>(q, to, dw, true);
}

// ---- any shape

void forward_by_rows(Queue& q, const ConvTransposeForwardArgs& a) {
    ran(a.x.dtype == DType::f64 ? "conv_transpose_forward/rows_f64" : "conv_transpose_forward/rows_f32");
    if (a.x.dtype != DType::bf16)
        return dispatch_exact("conv_transpose_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
    const View y = space_for<float>(q, a.y);
    forward<float>(q, {widened(q, a.x), widened(q, a.w), a.bias, y});
    copy_values<float, bf16>(q, y, a.y);
}

void backward_input_by_rows(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    ran(a.dy.dtype == DType::f64 ? "conv_transpose_backward_input/rows_f64" : "conv_transpose_backward_input/rows_f32");
    if (a.dy.dtype != DType::bf16)
        return dispatch_exact("conv_transpose_backward_input", a.dy.dtype,
                              [&](auto zero) { backward_input<decltype(zero)>(q, a); });
    const View dx = space_for<float>(q, a.dx.view);
    backward_input<float>(q, {widened(q, a.dy), widened(q, a.w), {dx, false}});
    copy_values<float, bf16>(q, dx, a.dx.view, a.dx.accumulate);
}

void backward_weight_by_outer(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    ran(a.x.dtype == DType::f64 ? "conv_transpose_backward_weight/outer_f64"
                                : "conv_transpose_backward_weight/outer_f32");
    if (a.x.dtype == DType::bf16) return backward_weight<float>(q, widened(q, a.x), widened(q, a.dy), a.dw);
    dispatch_exact("conv_transpose_backward_weight", a.x.dtype,
                   [&](auto zero) { backward_weight<decltype(zero)>(q, a.x, a.dy, a.dw); });
}

}  // namespace

KernelFamily<ConvTransposeForwardArgs>& conv_transpose_forward_family() {
    static KernelFamily<ConvTransposeForwardArgs> family("conv_transpose_forward", "cpu",
                                                         {{.name = "dnnl",
                                                           .provider = "oneDNN",
                                                           .needs = "bf16",
                                                           .supports = dnnl_supports_forward,
                                                           .run = forward_by_dnnl},
                                                          {.name = "rows", .run = forward_by_rows}});
    return family;
}

KernelFamily<ConvTransposeBackwardInputArgs>& conv_transpose_backward_input_family() {
    static KernelFamily<ConvTransposeBackwardInputArgs> family("conv_transpose_backward_input", "cpu",
                                                               {{.name = "dnnl",
                                                                 .provider = "oneDNN",
                                                                 .needs = "bf16",
                                                                 .supports = dnnl_supports_backward_input,
                                                                 .run = backward_input_by_dnnl},
                                                                {.name = "rows", .run = backward_input_by_rows}});
    return family;
}

KernelFamily<ConvTransposeBackwardWeightArgs>& conv_transpose_backward_weight_family() {
    static KernelFamily<ConvTransposeBackwardWeightArgs> family("conv_transpose_backward_weight", "cpu",
                                                                {{.name = "dnnl",
                                                                  .provider = "oneDNN",
                                                                  .needs = "bf16",
                                                                  .supports = dnnl_supports_backward_weight,
                                                                  .run = backward_weight_by_dnnl},
                                                                 {.name = "outer", .run = backward_weight_by_outer}});
    return family;
}

void conv_transpose_forward(Queue& q, const ConvTransposeForwardArgs& a) {
    check(a);
    conv_transpose_forward_family().run(q, a);
}

void conv_transpose_backward_input(Queue& q, const ConvTransposeBackwardInputArgs& a) {
    check(a);
    conv_transpose_backward_input_family().run(q, a);
}

void conv_transpose_backward_weight(Queue& q, const ConvTransposeBackwardWeightArgs& a) {
    check(a);
    if (a.dbias) channel_sums(q, a.dy, a.dbias);
    if (a.dw) conv_transpose_backward_weight_family().run(q, a);
}

}  // namespace atrous::kernels::cpu
