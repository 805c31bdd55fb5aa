// Convolution by its definition. Sums are kept in double and rounded once.
#include "kernels/conv.h"

#include "base/dispatch.h"
#include "base/variant.h"

namespace atrous::kernels::reference {

namespace {

// The input coordinate under tap `r` of output coordinate `p`; outside [0, size) in the padding.
int64_t input_of(const ConvGeometry& g, int64_t p, int64_t r) { return p * g.stride - g.padding + r * g.dilation; }

// Inverts it: true, with p, where some output coordinate in [0, outputs) has its tap `r` on input coordinate `h`.
bool output_of(const ConvGeometry& g, int64_t h, int64_t r, int64_t outputs, int64_t& p) {
    const int64_t position = h + g.padding - r * g.dilation;
    p = position / g.stride;
    return position >= 0 && position % g.stride == 0 && p < outputs;
}

template <class T>
T* pixel(const View& v, int64_t n, int64_t h, int64_t w) {
    return v.as<T>() + ((n * v.h + h) * v.w + w) * v.pitch;
}

template <class T>
double dot(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += double(a[i * a_step]) * double(b[i * b_step]);
    return sum;
}

template <class T>
void store(T& to, double value, bool accumulate) {
    to = T(accumulate ? double(to) + value : value);
}

template <class T>
double output_value(const ConvForwardArgs& a, int64_t n, int64_t p, int64_t q, int64_t o) {
    double sum = a.bias ? double(static_cast<const T*>(a.bias)[o]) : 0.0;
    for (int64_t r = 0; r < a.w.h; ++r) {
        const int64_t h = input_of(a.geometry, p, r);
        if (h < 0 || h >= a.x.h) continue;
        for (int64_t s = 0; s < a.w.w; ++s) {
            const int64_t w = input_of(a.geometry, q, s);
            if (w < 0 || w >= a.x.w) continue;
            sum += dot(pixel<T>(a.x, n, h, w), 1, pixel<T>(a.w, o, r, s), 1, a.x.c);
        }
    }
    return sum;
}

template <class T>
void forward(const ConvForwardArgs& a) {
    for (int64_t n = 0; n < a.y.n; ++n)
        for (int64_t p = 0; p < a.y.h; ++p)
            for (int64_t q = 0; q < a.y.w; ++q)
                for (int64_t o = 0; o < a.y.c; ++o) pixel<T>(a.y, n, p, q)[o] = T(output_value<T>(a, n, p, q, o));
}

template <class T>
double input_gradient(const ConvBackwardInputArgs& a, int64_t n, int64_t h, int64_t w, int64_t i) {
    double sum = 0;
    int64_t p, q;
    for (int64_t r = 0; r < a.w.h; ++r) {
        if (!output_of(a.geometry, h, r, a.dy.h, p)) continue;
        for (int64_t s = 0; s < a.w.w; ++s) {
            if (!output_of(a.geometry, w, s, a.dy.w, q)) continue;
            const T* taps = pixel<T>(a.w, 0, r, s) + i;  // of each output channel in turn
            sum += dot(pixel<T>(a.dy, n, p, q), 1, taps, a.w.h * a.w.w * a.w.pitch, a.dy.c);
        }
    }
    return sum;
}

template <class T>
void backward_input(const ConvBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    for (int64_t n = 0; n < dx.n; ++n)
        for (int64_t h = 0; h < dx.h; ++h)
            for (int64_t w = 0; w < dx.w; ++w)
                for (int64_t i = 0; i < dx.c; ++i)
                    store(pixel<T>(dx, n, h, w)[i], input_gradient<T>(a, n, h, w, i), a.dx.accumulate);
}

template <class T>
double weight_gradient(const ConvBackwardWeightArgs& a, int64_t o, int64_t r, int64_t s, int64_t i) {
    double sum = 0;
    for (int64_t p = 0; p < a.dy.h; ++p) {
        const int64_t h = input_of(a.geometry, p, r);
        if (h < 0 || h >= a.x.h) continue;
        for (int64_t q = 0; q < a.dy.w; ++q) {
            const int64_t w = input_of(a.geometry, q, s);
            if (w < 0 || w >= a.x.w) continue;
            for (int64_t n = 0; n < a.x.n; ++n)
                sum += double(pixel<T>(a.dy, n, p, q)[o]) * double(pixel<T>(a.x, n, h, w)[i]);
        }
    }
    return sum;
}

template <class T>
void backward_weight(const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    if (dw.data)
        for (int64_t o = 0; o < dw.n; ++o)
            for (int64_t r = 0; r < dw.h; ++r)
                for (int64_t s = 0; s < dw.w; ++s)
                    for (int64_t i = 0; i < dw.c; ++i)
                        store(pixel<T>(dw, o, r, s)[i], weight_gradient<T>(a, o, r, s, i), a.dw.accumulate);
    if (!a.dbias) return;
    for (int64_t o = 0; o < a.dy.c; ++o) {
        double sum = 0;
        for (int64_t pixel = 0; pixel < a.dy.pixels(); ++pixel) sum += double(a.dy.as<T>()[pixel * a.dy.pitch + o]);
        store(a.dbias.as<T>()[o], sum, a.dbias.accumulate);
    }
}

}  // namespace

void conv_forward(Queue&, const ConvForwardArgs& a) {
    check(a);
    ran("conv_forward/reference");
    dispatch_exact("conv_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void conv_backward_input(Queue&, const ConvBackwardInputArgs& a) {
    check(a);
    ran("conv_backward_input/reference");
    dispatch_exact("conv_backward_input", a.dy.dtype, [&](auto zero) { backward_input<decltype(zero)>(a); });
}

void conv_backward_weight(Queue&, const ConvBackwardWeightArgs& a) {
    check(a);
    ran("conv_backward_weight/reference");
    dispatch_exact("conv_backward_weight", a.x.dtype, [&](auto zero) { backward_weight<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
