// Nearest-neighbour resampling by its definition; the backward pass adds each output gradient to its source in double.
#include "kernels/nearest.h"

#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// f(pixel of the output, pixel of the input it is read from).
template <class F>
void for_each_read(const View& x, const View& y, F f) {
    for (int64_t n = 0; n < y.n; ++n)
        for (int64_t p = 0; p < y.h; ++p)
            for (int64_t q = 0; q < y.w; ++q)
                f((n * y.h + p) * y.w + q, (n * x.h + nearest_source(p, x.h, y.h)) * x.w + nearest_source(q, x.w, y.w));
}

template <class T>
void forward(const NearestForwardArgs& a) {
    for_each_read(a.x, a.y, [&](int64_t to, int64_t from) {
        for (int64_t c = 0; c < a.y.c; ++c) at<T>(a.y, to, c) = at<T>(a.x, from, c);
    });
}

template <class T>
void backward(const NearestBackwardArgs& a) {
    const View& dx = a.dx.view;
    std::vector<double> sums(dx.count());
    for_each_read(dx, a.dy, [&](int64_t from, int64_t to) {
        for (int64_t c = 0; c < dx.c; ++c) sums[to * dx.c + c] += at<T>(a.dy, from, c);
    });
    for_each_element(
        dx, [&](int64_t pixel, int64_t c) { store(at<T>(dx, pixel, c), sums[pixel * dx.c + c], a.dx.accumulate); });
}

}  // namespace

void nearest_forward(Queue&, const NearestForwardArgs& a) {
    check(a);
    ran("nearest_forward/reference");
    dispatch_exact("nearest_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void nearest_backward(Queue&, const NearestBackwardArgs& a) {
    check(a);
    ran("nearest_backward/reference");
    dispatch_exact("nearest_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
