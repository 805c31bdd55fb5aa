// Global average pooling by its definition. Sums are kept in double and rounded once.
#include "kernels/global_pool.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

template <class T>
void forward(const GlobalPoolForwardArgs& a) {
    const int64_t pixels = a.x.h * a.x.w;
    for (int64_t n = 0; n < a.x.n; ++n)
        for (int64_t c = 0; c < a.x.c; ++c) {
            double sum = 0;
            for (int64_t i = 0; i < pixels; ++i) sum += at<T>(a.x, n * pixels + i, c);
            at<T>(a.y, n, c) = T(sum / double(pixels));
        }
}

template <class T>
void backward(const GlobalPoolBackwardArgs& a) {
    const View& dx = a.dx.view;
    const int64_t pixels = dx.h * dx.w;
    for_each_element(dx, [&](int64_t pixel, int64_t c) {
        store(at<T>(dx, pixel, c), double(at<T>(a.dy, pixel / pixels, c)) / double(pixels), a.dx.accumulate);
    });
}

}  // namespace

void global_pool_forward(Queue&, const GlobalPoolForwardArgs& a) {
    check(a);
    ran("global_pool_forward/reference");
    dispatch_exact("global_pool_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void global_pool_backward(Queue&, const GlobalPoolBackwardArgs& a) {
    check(a);
    ran("global_pool_backward/reference");
    dispatch_exact("global_pool_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
