// The 2x2 stride-2 transposed convolution by its definition. Sums are kept in double and rounded once.
#include "kernels/conv_transpose.h"

#include "base/dispatch.h"
#include "base/variant.h"

namespace atrous::kernels::reference {

namespace {

template <class T>
T* pixel(const View& v, int64_t n, int64_t h, int64_t w) {
    return v.as<T>() + ((n * v.h + h) * v.w + w) * v.pitch;
}

template <class T>
void store(T& to, double value, bool accumulate) {
    to = T(accumulate ? double(to) + value : value);
}

template <class T>
void forward(const ConvTransposeForwardArgs& a) {
    for (int64_t n = 0; n < a.y.n; ++n)
        for (int64_t p = 0; p < a.y.h; ++p)
            for (int64_t q = 0; q < a.y.w; ++q)
                for (int64_t o = 0; o < a.y.c; ++o) {
                    const T* x = pixel<T>(a.x, n, p / 2, q / 2);
                    const T* w = pixel<T>(a.w, p % 2, q % 2, o);
                    double sum = a.bias ? double(static_cast<const T*>(a.bias)[o]) : 0.0;
                    for (int64_t i = 0; i < a.x.c; ++i) sum += double(x[i]) * double(w[i]);
                    pixel<T>(a.y, n, p, q)[o] = T(sum);
                }
}

template <class T>
void backward_input(const ConvTransposeBackwardInputArgs& args) {
    const View& dx = args.dx.view;
    for (int64_t n = 0; n < dx.n; ++n)
        for (int64_t h = 0; h < dx.h; ++h)
            for (int64_t w = 0; w < dx.w; ++w)
                for (int64_t i = 0; i < dx.c; ++i) {
                    double sum = 0;
                    for (int a = 0; a < 2; ++a)
                        for (int b = 0; b < 2; ++b)
                            for (int64_t o = 0; o < args.dy.c; ++o)
                                sum += double(pixel<T>(args.dy, n, 2 * h + a, 2 * w + b)[o]) *
                                       double(pixel<T>(args.w, a, b, o)[i]);
                    store(pixel<T>(dx, n, h, w)[i], sum, args.dx.accumulate);
                }
}

template <class T>
double weight_gradient(const View& x, const View& dy, int a, int b, int64_t o, int64_t i) {
    double sum = 0;
    for (int64_t n = 0; n < x.n; ++n)
        for (int64_t h = 0; h < x.h; ++h)
            for (int64_t w = 0; w < x.w; ++w)
                sum += double(pixel<T>(dy, n, 2 * h + a, 2 * w + b)[o]) * double(pixel<T>(x, n, h, w)[i]);
    return sum;
}

template <class T>
void backward_weight(const ConvTransposeBackwardWeightArgs& args) {
    const View& dw = args.dw.view;
    if (dw.data)
        for (int a = 0; a < 2; ++a)
            for (int b = 0; b < 2; ++b)
                for (int64_t o = 0; o < args.dy.c; ++o)
                    for (int64_t i = 0; i < args.x.c; ++i)
                        store(pixel<T>(dw, a, b, o)[i], weight_gradient<T>(args.x, args.dy, a, b, o, i),
                              args.dw.accumulate);
    if (!args.dbias) return;
    for (int64_t o = 0; o < args.dy.c; ++o) {
        double sum = 0;
        for (int64_t k = 0; k < args.dy.pixels(); ++k) sum += double(args.dy.as<T>()[k * args.dy.pitch + o]);
        store(args.dbias.as<T>()[o], sum, args.dbias.accumulate);
    }
}

}  // namespace

void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs& a) {
    check(a);
    ran("conv_transpose_forward/reference");
    dispatch_exact("conv_transpose_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs& a) {
    check(a);
    ran("conv_transpose_backward_input/reference");
    dispatch_exact("conv_transpose_backward_input", a.dy.dtype, [&](auto zero) { backward_input<decltype(zero)>(a); });
}

void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs& a) {
    check(a);
    ran("conv_transpose_backward_weight/reference");
    dispatch_exact("conv_transpose_backward_weight", a.x.dtype, [&](auto zero) { backward_weight<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
