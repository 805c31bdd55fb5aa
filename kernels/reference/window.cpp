// A window of each image, by its definition.
#include "kernels/window.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

template <class T>
static void window_of(const WindowArgs& a) {
    const View &x = a.x, &y = a.y.view;
    for (int64_t n = 0; n < y.n; ++n)
        for (int64_t i = 0; i < y.h; ++i)
            for (int64_t j = 0; j < y.w; ++j)
                for (int64_t c = 0; c < y.c; ++c) {
                    const int64_t row = i + a.top, column = j + a.left;
                    const bool inside = row >= 0 && row < x.h && column >= 0 && column < x.w;
                    store(at<T>(y, n, i, j, c), inside ? double(at<T>(x, n, row, column, c)) : 0, a.y.accumulate);
                }
}

void window(Queue&, const WindowArgs& a) {
    check(a);
    ran("window/reference");
    dispatch_exact("window", a.x.dtype, [&](auto zero) { window_of<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
