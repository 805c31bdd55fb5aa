// The gradient by its formula, in double.
#include "kernels/class_slopes.h"

#include <algorithm>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/softmax.h"

namespace atrous::kernels::reference {

namespace {

template <class T>
void backward(const ClassSlopesBackwardArgs& a) {
    const View& z = a.logits;
    const double scale = a.scale * double(*static_cast<const T*>(a.grad_output));
    std::vector<double> s(size_t(z.c));
    for (int64_t pixel = 0; pixel < z.pixels(); ++pixel) {
        for (int64_t c = 0; c < z.c; ++c) s[c] = double(static_cast<const T*>(a.slopes)[c * z.pixels() + pixel]);
        const bool still = std::all_of(s.begin(), s.end(), [](double x) { return x == 0; });
        const std::vector<double> p = still ? std::vector<double>() : probabilities<T>(z, pixel);
        double mean = 0;
        for (int64_t c = 0; c < z.c && !still; ++c) mean += p[c] * s[c];
        for (int64_t c = 0; c < z.c; ++c) {
            const double slope = still ? 0 : z.c == 1 ? s[0] : p[c] * (s[c] - mean);
            store(at<T>(a.dlogits.view, pixel, c), scale * slope, a.dlogits.accumulate);
        }
    }
}

}  // namespace

void class_slopes_backward(Queue&, const ClassSlopesBackwardArgs& a) {
    check(a);
    ran("class_slopes_backward/reference");
    dispatch_exact("class_slopes_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
