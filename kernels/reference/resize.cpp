// Bilinear resampling by its definition; the backward pass adds each output gradient to its four sources in double.
#include "kernels/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

struct Source {
    int64_t i0, i1;
    double weight0, weight1;
};

// Where output coordinate p of `out` reads among `in` input coordinates.
Source source_of(int64_t p, int64_t in, int64_t out, bool align_corners) {
    double position;
    if (align_corners)
        position = out == 1 ? 0.0 : double(p) * double(in - 1) / double(out - 1);
    else
        position = std::max((double(p) + 0.5) * double(in) / double(out) - 0.5, 0.0);
    const int64_t i0 = std::min(int64_t(std::floor(position)), in - 1);
    const double weight1 = position - double(i0);
    return {i0, std::min(i0 + 1, in - 1), 1 - weight1, weight1};
}

template <class T>
void forward(const BilinearForwardArgs& a) {
    const View &x = a.x, &y = a.y;
    for (int64_t n = 0; n < y.n; ++n)
        for (int64_t p = 0; p < y.h; ++p)
            for (int64_t q = 0; q < y.w; ++q) {
                const Source h = source_of(p, x.h, y.h, a.align_corners), w = source_of(q, x.w, y.w, a.align_corners);
                for (int64_t c = 0; c < y.c; ++c) {
                    const double upper =
                        w.weight0 * at<T>(x, n, h.i0, w.i0, c) + w.weight1 * at<T>(x, n, h.i0, w.i1, c);
                    const double lower =
                        w.weight0 * at<T>(x, n, h.i1, w.i0, c) + w.weight1 * at<T>(x, n, h.i1, w.i1, c);
                    at<T>(y, n, p, q, c) = T(h.weight0 * upper + h.weight1 * lower);
                }
            }
}

template <class T>
void backward(const BilinearBackwardArgs& a) {
    const View &dy = a.dy, &dx = a.dx.view;
    std::vector<double> sums(dx.count());
    const auto sum = [&](int64_t n, int64_t h, int64_t w, int64_t c) -> double& {
        return sums[((n * dx.h + h) * dx.w + w) * dx.c + c];
    };
    for (int64_t n = 0; n < dy.n; ++n)
        for (int64_t p = 0; p < dy.h; ++p)
            for (int64_t q = 0; q < dy.w; ++q) {
                const Source h = source_of(p, dx.h, dy.h, a.align_corners);
                const Source w = source_of(q, dx.w, dy.w, a.align_corners);
                for (int64_t c = 0; c < dy.c; ++c) {
                    const double g = at<T>(dy, n, p, q, c);
                    sum(n, h.i0, w.i0, c) += h.weight0 * w.weight0 * g;
                    sum(n, h.i0, w.i1, c) += h.weight0 * w.weight1 * g;
                    sum(n, h.i1, w.i0, c) += h.weight1 * w.weight0 * g;
                    sum(n, h.i1, w.i1, c) += h.weight1 * w.weight1 * g;
                }
            }
    for_each_element(
        dx, [&](int64_t pixel, int64_t c) { store(at<T>(dx, pixel, c), sums[pixel * dx.c + c], a.dx.accumulate); });
}

}  // namespace

void bilinear_forward(Queue&, const BilinearForwardArgs& a) {
    check(a);
    ran("bilinear_forward/reference");
    dispatch_exact("bilinear_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void bilinear_backward(Queue&, const BilinearBackwardArgs& a) {
    check(a);
    ran("bilinear_backward/reference");
    dispatch_exact("bilinear_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
