// Convolutions as a product with the lines of im2col: any shape, f32 and f64; bf16 takes part as float.
#include <algorithm>

#include "base/variant.h"
#include "kernels/conv.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/widen.h"

namespace atrous::kernels::cpu {

namespace {

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
        if (!in_place)
            parallel_each(q, product.m, product.m * width,
                          [&](int64_t i) { columns.line(first + i, lines + i * width); });
        product.c.data = c + first * columns.to.c;
        multiply(q, product, packed);
    }
}

template <class T>
void forward_in(Queue& q, const ConvForwardArgs& a) {
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
void backward_input_in(Queue& q, const ConvBackwardInputArgs& a) {
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

void forward(Queue& q, const ConvForwardArgs& a) {
    ran(a.x.dtype == DType::f64 ? "conv_forward/im2col_f64" : "conv_forward/im2col_f32");
    if (a.x.dtype == DType::f64) return forward_in<double>(q, a);
    if (a.x.dtype == DType::f32) return forward_in<float>(q, a);
    const View y = space_for<float>(q, a.y);
    forward_in<float>(q, {widened(q, a.x), widened(q, a.w), a.bias, y, a.geometry});
    copy_values<float, bf16>(q, y, a.y);
}

void backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    ran(a.dy.dtype == DType::f64 ? "conv_backward_input/im2col_f64" : "conv_backward_input/im2col_f32");
    if (a.dy.dtype == DType::f64) return backward_input_in<double>(q, a);
    if (a.dy.dtype == DType::f32) return backward_input_in<float>(q, a);
    const View dx = space_for<float>(q, a.dx.view);
    backward_input_in<float>(q, {widened(q, a.dy), widened(q, a.w), {dx, false}, a.geometry});
    copy_values<float, bf16>(q, dx, a.dx.view, a.dx.accumulate);
}

}  // namespace

Implementation<ConvForwardArgs> forward_by_im2col() { return {.name = "im2col", .run = forward}; }
Implementation<ConvBackwardInputArgs> backward_input_by_im2col() { return {.name = "im2col", .run = backward_input}; }

}  // namespace atrous::kernels::cpu
