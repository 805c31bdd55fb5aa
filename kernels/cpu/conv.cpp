// f32 and bf16: oneDNN, except that weight gradients in f32, and some in bf16, are our own (weight_gradient.h). f64,
// and shapes for which oneDNN has only plain loops: im2col and a product. bf16 takes part in these as float.
#include "kernels/conv.h"

#include <algorithm>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/dnnl.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/weight_gradient.h"
#include "kernels/cpu/widen.h"

namespace atrous::kernels::cpu {

namespace {

// What this backend demands besides.
void check_for_cpu(const View& x, const View& y) {
    require(x.dense() && y.dense(), "convolution on the cpu: tensors must be dense");
    if (x.dtype != DType::f32 && x.dtype != DType::bf16 && x.dtype != DType::f64)
        unsupported_dtype("convolution on the cpu", x.dtype);
}

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

// ---- im2col and product

// One line of a matrix a pixel of `to`: for each tap the channels of the pixel of `from` under it, or zeros. With
// `gather`, `to` is the convolution's output; otherwise its input, and the pixel is the output that used it.
template <class T>
struct Columns {
    View from, to;
    int64_t r, s;
    ConvGeometry geometry;
    bool gather;

    int64_t width() const { return r * s * from.c; }
    int64_t under(int64_t at, int64_t tap, int64_t size) const {  // -1 where there is none
        const ConvGeometry& g = geometry;
        if (gather) {
            const int64_t in = at * g.stride - g.padding + tap * g.dilation;
            return in >= 0 && in < size ? in : -1;
        }
        const int64_t position = at + g.padding - tap * g.dilation;
        return position >= 0 && position % g.stride == 0 && position / g.stride < size ? position / g.stride : -1;
    }
    void line(int64_t pixel, T* out) const {
        const int64_t n = pixel / (to.h * to.w), y = pixel / to.w % to.h, x = pixel % to.w;
        for (int64_t i = 0; i < r; ++i) {
            const int64_t h = under(y, i, from.h);
            for (int64_t j = 0; j < s; ++j, out += from.c) {
                const int64_t w = h < 0 ? -1 : under(x, j, from.w);
                if (w < 0)
                    std::fill_n(out, from.c, T(0));
                else
                    std::copy_n(from.as<T>() + ((n * from.h + h) * from.w + w) * from.c, from.c, out);
            }
        }
    }
};

// product.c = columns * product.b, a few megabytes of columns at a time.
template <class T>
void multiply_columns(Queue& q, const Columns<T>& columns, Product<T> product) {
    const int64_t pixels = columns.to.pixels(), width = columns.width(), taps = columns.r * columns.s;
    const bool in_place = taps == 1 && columns.geometry.stride == 1 && columns.geometry.padding == 0;
    const int64_t a_chunk =
        in_place ? pixels : std::min(pixels, std::max<int64_t>(96, (4 << 20) / (width * int64_t(sizeof(T)))));
    T* lines = in_place ? columns.from.template as<T>() : q.scratch<T>(a_chunk * width);
    product.a = {lines, width};
    product.k = columns.from.c;
    if (product.b_part == product.k * product.b_k) {  // the taps follow each other in B as they do in a line
        product.k = width;
    } else {
        product.a_parts.clear();
        for (int64_t tap = 0; tap < taps; ++tap) product.a_parts.push_back(tap * columns.from.c);
    }
    const T* packed = pack(q, product);
    if (q.is_dry_run()) return;
    T* const c = product.c.data;
    for (int64_t first = 0; first < pixels; first += a_chunk) {
        product.m = std::min(a_chunk, pixels - first);
        if (!in_place) {
#pragma omp parallel for num_threads(q.threads()) schedule(static)
            for (int64_t i = 0; i < product.m; ++i) columns.line(first + i, lines + i * width);
        }
        product.c.data = c + first * columns.to.c;
        multiply(q, product, packed);
    }
}

template <class T>
void forward_by_product(Queue& q, const ConvForwardArgs& a) {
    Product<T> product;
    product.n = a.w.n;
    product.b = a.w.as<T>();
    product.b_part = a.w.c;
    product.b_k = 1;
    product.b_n = a.w.h * a.w.w * a.w.c;
    product.c = {a.y.as<T>(), a.y.c};
    product.bias = static_cast<const T*>(a.bias);
    multiply_columns<T>(q, {a.x, a.y, a.w.h, a.w.w, a.geometry, true}, product);
}

template <class T>
void backward_input_by_product(Queue& q, const ConvBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    Product<T> product;
    product.n = a.w.c;
    product.b = a.w.as<T>();
    product.b_part = a.w.c;
    product.b_k = a.w.h * a.w.w * a.w.c;
    product.b_n = 1;
    product.c = {dx.as<T>(), dx.c};
    product.accumulate = a.dx.accumulate;
    multiply_columns<T>(q, {a.dy, dx, a.w.h, a.w.w, a.geometry, false}, product);
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

// ---- the passes through oneDNN; false where it has nothing optimized

bool forward_by_dnnl(Queue& q, const ConvForwardArgs& a) {
    DnnlConv c = describe(q, "conv_forward", Pass::forward, a.x, a.w, a.y, a.geometry);
    c.bias = a.bias != nullptr;
    return dnnl_convolution(q, c, a.x.data, a.w.data, a.bias, a.y.data);
}

// In f32 and at stride 1, oneDNN's forward kernels are faster than its backward ones: dx is the convolution of dy with
// the weights turned by half a turn. They also add to dx without a pass of their own.
bool backward_input_by_forward(Queue& q, const ConvBackwardInputArgs& a) {
    const View &w = a.w, &dx = a.dx.view;
    const int64_t padding = a.geometry.dilation * (w.h - 1) - a.geometry.padding;
    if (dx.dtype != DType::f32 || a.geometry.stride != 1 || w.h != w.w || padding < 0) return false;
    DnnlConv c = describe(q, "conv_backward_input", Pass::forward, a.dy, w, dx, a.geometry);
    c.padding = padding;
    c.w_strides = {1, w.h * w.w * w.c, w.w * w.c, w.c};
    c.accumulate = a.dx.accumulate;
    const float* turned = w.as<float>();
    const int64_t taps = w.h * w.w;
    if (taps > 1) {
        float* copy = q.scratch<float>(w.count());
        parallel_each(q, w.n * taps, w.count(), [&](int64_t i) {
            std::copy_n(w.as<float>() + i * w.c, w.c, copy + (i / taps * taps + taps - 1 - i % taps) * w.c);
        });
        turned = copy;
    }
    return dnnl_convolution(q, c, a.dy.data, turned, nullptr, dx.data);
}

bool backward_input_by_dnnl(Queue& q, const ConvBackwardInputArgs& a) {
    if (backward_input_by_forward(q, a)) return true;
    const View& dx = a.dx.view;
    const DnnlConv c = describe(q, "conv_backward_input", Pass::backward_input, dx, a.w, a.dy, a.geometry);
    View to = dx;
    if (a.dx.accumulate) to = dx.dtype == DType::f32 ? space_for<float>(q, dx) : space_for<bf16>(q, dx);
    if (!dnnl_convolution(q, c, to.data, a.w.data, nullptr, a.dy.data)) return false;
    if (!a.dx.accumulate) return true;
    dx.dtype == DType::f32 ? copy_values<float, float>(q, to, dx, true) : copy_values<bf16, bf16>(q, to, dx, true);
    return true;
}

// The pixels of x that a strided 1x1 convolution reads.
View subsampled(Queue& q, const View& x, const View& y, int stride) {
    View all = y;
    all.c = x.c;
    const View copy = space_for<bf16>(q, all);
    parallel_each(q, y.n * y.h, copy.count(), [&](int64_t row) {
        const bf16* from = x.as<bf16>() + (row / y.h * x.h + row % y.h * stride) * x.w * x.c;
        bf16* to = copy.as<bf16>() + row * y.w * x.c;
        for (int64_t i = 0; i < y.w; ++i) std::copy_n(from + i * stride * x.c, x.c, to + i * x.c);
    });
    return copy;
}

bool backward_weight_by_dnnl(Queue& q, const ConvBackwardWeightArgs& args) {
    ConvBackwardWeightArgs a = args;
    const View& dw = a.dw.view;
    // Two defects of oneDNN 2.6: it leaves the gradient of a tap that never meets the image unwritten, and at 1x1 with
    // a stride it writes past its workspace.
    if (a.x.h <= a.geometry.dilation * (dw.h - 1) || a.x.w <= a.geometry.dilation * (dw.w - 1)) return false;
    if (dw.h * dw.w == 1 && a.geometry.stride > 1) {
        if (a.geometry.padding > 0) return false;
        a.x = subsampled(q, a.x, a.dy, a.geometry.stride);
        a.geometry.stride = 1;
    }
    DnnlConv c = describe(q, "conv_backward_weight", Pass::backward_weight, a.x, dw, a.dy, a.geometry);
    c.bias = bool(a.dbias);
    const View bias = vector_view(a.dbias.as<float>(), a.dy.c);
    const View dw_to = a.dw.accumulate ? space_for<float>(q, dw) : dw;
    const View bias_to = a.dbias && a.dbias.accumulate ? space_for<float>(q, bias) : bias;
    if (!dnnl_convolution(q, c, a.x.data, dw_to.data, bias_to.data, a.dy.data)) return false;
    if (dw_to.data != dw.data) copy_values<float, float>(q, dw_to, dw, true);
    if (bias_to.data != bias.data) copy_values<float, float>(q, bias_to, bias, true);
    return true;
}

}  // namespace

void conv_forward(Queue& q, const ConvForwardArgs& a) {
    check(a);
    check_for_cpu(a.x, a.y);
    if (a.x.dtype == DType::f64) {
        ran("conv_forward/im2col_f64");
        return forward_by_product<double>(q, a);
    }
    if (forward_by_dnnl(q, a)) return;
    ran("conv_forward/im2col_f32");
    if (a.x.dtype == DType::f32) return forward_by_product<float>(q, a);
    const View y = space_for<float>(q, a.y);
    forward_by_product<float>(q, {widened(q, a.x), widened(q, a.w), a.bias, y, a.geometry});
    copy_values<float, bf16>(q, y, a.y);
}

void conv_backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    check(a);
    check_for_cpu(a.dx.view, a.dy);
    if (a.dy.dtype == DType::f64) {
        ran("conv_backward_input/im2col_f64");
        return backward_input_by_product<double>(q, a);
    }
    if (backward_input_by_dnnl(q, a)) return;
    ran("conv_backward_input/im2col_f32");
    if (a.dy.dtype == DType::f32) return backward_input_by_product<float>(q, a);
    const View dx = space_for<float>(q, a.dx.view);
    backward_input_by_product<float>(q, {widened(q, a.dy), widened(q, a.w), {dx, false}, a.geometry});
    copy_values<float, bf16>(q, dx, a.dx.view, a.dx.accumulate);
}

void conv_backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    check(a);
    if (!a.dw) {
        if (a.dbias) channel_sums(q, a.dy, a.dbias);
        return;
    }
    check_for_cpu(a.x, a.dy);
    const bool bf16 = a.x.dtype == DType::bf16;
    const bool by_pairs = bf16 && pairs_are_faster(problem_of(a));
    if (bf16 && !by_pairs && backward_weight_by_dnnl(q, a)) return;
    if (a.dbias) channel_sums(q, a.dy, a.dbias);
    if (by_pairs) {
        ran("conv_backward_weight/outer_bf16");
        return weight_gradient_of_pairs(q, problem_of(a));
    }
    if (a.x.dtype == DType::f64) {
        ran("conv_backward_weight/outer_f64");
        return weight_gradient<double>(q, problem_of(a));
    }
    ran("conv_backward_weight/outer_f32");
    if (a.x.dtype == DType::f32) return weight_gradient<float>(q, problem_of(a));
    weight_gradient<float>(q, problem_of({widened(q, a.x), widened(q, a.dy), a.dw, {}, a.geometry}));
}

}  // namespace atrous::kernels::cpu
