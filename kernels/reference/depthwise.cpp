// Depthwise convolution by its definition. Sums are kept in double and rounded once.
#include "kernels/depthwise.h"

#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// f(p, q, h, w) for every output position (p, q) whose tap (r, s) lies on an input pixel (h, w).
template <class F>
void for_each_read(const View& x, const View& y, const ConvGeometry& g, int64_t r, int64_t s, F f) {
    for (int64_t p = 0; p < y.h; ++p)
        for (int64_t q = 0; q < y.w; ++q) {
            const int64_t h = p * g.stride - g.padding + r * g.dilation, w = q * g.stride - g.padding + s * g.dilation;
            if (h >= 0 && h < x.h && w >= 0 && w < x.w) f(p, q, h, w);
        }
}

// f(r, s) for every tap of the kernel.
template <class F>
void for_each_tap(const View& w, F f) {
    for (int64_t r = 0; r < w.h; ++r)
        for (int64_t s = 0; s < w.w; ++s) f(r, s);
}

template <class T>
void forward(const DepthwiseForwardArgs& a) {
    const View& y = a.y;
    std::vector<double> sums(y.h * y.w);
    for (int64_t n = 0; n < y.n; ++n)
        for (int64_t c = 0; c < y.c; ++c) {
            sums.assign(sums.size(), a.bias ? double(static_cast<const T*>(a.bias)[c]) : 0.0);
            for_each_tap(a.w, [&](int64_t r, int64_t s) {
                for_each_read(a.x, y, a.geometry, r, s, [&](int64_t p, int64_t q, int64_t h, int64_t w) {
                    sums[p * y.w + q] += double(at<T>(a.x, n, h, w, c)) * double(at<T>(a.w, 0, r, s, c));
                });
            });
            for (int64_t i = 0; i < y.h * y.w; ++i) at<T>(y, n * y.h * y.w + i, c) = T(sums[i]);
        }
}

template <class T>
void backward_input(const DepthwiseBackwardInputArgs& a) {
    const View& dx = a.dx.view;
    std::vector<double> sums(dx.h * dx.w);
    for (int64_t n = 0; n < dx.n; ++n)
        for (int64_t c = 0; c < dx.c; ++c) {
            sums.assign(sums.size(), 0.0);
            for_each_tap(a.w, [&](int64_t r, int64_t s) {
                for_each_read(dx, a.dy, a.geometry, r, s, [&](int64_t p, int64_t q, int64_t h, int64_t w) {
                    sums[h * dx.w + w] += double(at<T>(a.dy, n, p, q, c)) * double(at<T>(a.w, 0, r, s, c));
                });
            });
            for (int64_t i = 0; i < dx.h * dx.w; ++i)
                store(at<T>(dx, n * dx.h * dx.w + i, c), sums[i], a.dx.accumulate);
        }
}

template <class T>
void backward_weight(const DepthwiseBackwardWeightArgs& a) {
    for (int64_t c = 0; c < a.dy.c; ++c) {
        if (a.dw)
            for_each_tap(a.dw.view, [&](int64_t r, int64_t s) {
                double sum = 0;
                for (int64_t n = 0; n < a.dy.n; ++n)
                    for_each_read(a.x, a.dy, a.geometry, r, s, [&](int64_t p, int64_t q, int64_t h, int64_t w) {
                        sum += double(at<T>(a.dy, n, p, q, c)) * double(at<T>(a.x, n, h, w, c));
                    });
                store(at<T>(a.dw.view, 0, r, s, c), sum, a.dw.accumulate);
            });
        if (!a.dbias) continue;
        double sum = 0;
        for (int64_t pixel = 0; pixel < a.dy.pixels(); ++pixel) sum += double(at<T>(a.dy, pixel, c));
        store(a.dbias.as<T>()[c], sum, a.dbias.accumulate);
    }
}

}  // namespace

void depthwise_forward(Queue&, const DepthwiseForwardArgs& a) {
    check(a);
    ran("depthwise_forward/reference");
    dispatch_exact("depthwise_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void depthwise_backward_input(Queue&, const DepthwiseBackwardInputArgs& a) {
    check(a);
    ran("depthwise_backward_input/reference");
    dispatch_exact("depthwise_backward_input", a.dy.dtype, [&](auto zero) { backward_input<decltype(zero)>(a); });
}

void depthwise_backward_weight(Queue&, const DepthwiseBackwardWeightArgs& a) {
    check(a);
    ran("depthwise_backward_weight/reference");
    dispatch_exact("depthwise_backward_weight", a.x.dtype, [&](auto zero) { backward_weight<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
