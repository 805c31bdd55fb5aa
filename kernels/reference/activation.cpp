// Activations by their definitions.
#include "kernels/activation.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

void relu(Queue&, const ActivationArgs& a) {
    check(a);
    ran("relu/reference");
    dispatch_exact("relu", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.x, [&](int64_t pixel, int64_t c) {
            const T x = at<T>(a.x, pixel, c);
            at<T>(a.y, pixel, c) = x <= 0 ? T(0) : x;  // NaN fails the comparison and stays
        });
    });
}

void relu_backward(Queue&, const ActivationBackwardArgs& a) {
    check(a);
    ran("relu_backward/reference");
    dispatch_exact("relu_backward", a.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.dy, [&](int64_t pixel, int64_t c) {
            const double gradient = at<T>(a.y, pixel, c) > 0 ? double(at<T>(a.dy, pixel, c)) : 0.0;
            store(at<T>(a.dx.view, pixel, c), gradient, a.dx.accumulate);
        });
    });
}

void sigmoid(Queue&, const ActivationArgs& a) {
    check(a);
    ran("sigmoid/reference");
    dispatch_exact("sigmoid", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.x, [&](int64_t pixel, int64_t c) {
            at<T>(a.y, pixel, c) = T(1 / (1 + std::exp(-double(at<T>(a.x, pixel, c)))));
        });
    });
}

void sigmoid_backward(Queue&, const ActivationBackwardArgs& a) {
    check(a);
    ran("sigmoid_backward/reference");
    dispatch_exact("sigmoid_backward", a.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.dy, [&](int64_t pixel, int64_t c) {
            const double y = at<T>(a.y, pixel, c);
            store(at<T>(a.dx.view, pixel, c), at<T>(a.dy, pixel, c) * y * (1 - y), a.dx.accumulate);
        });
    });
}

}  // namespace atrous::kernels::reference
