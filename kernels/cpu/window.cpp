// A window of each image: rows of it are copied, and what lies outside is zero.
#include "kernels/window.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

// `count` neighbouring pixels.
template <bool accumulate, class T>
void copy_pixels(const T* x, int64_t x_pitch, T* y, int64_t y_pitch, int64_t count, int64_t channels) {
    if (x_pitch == channels && y_pitch == channels) {
        channels *= count;
        count = 1;
    }
    for (int64_t p = 0; p < count; ++p, x += x_pitch, y += y_pitch) {
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) put<accumulate>(y[c], load(x[c]));
    }
}

template <class T>
void zero_pixels(T* y, int64_t pitch, int64_t count, int64_t channels) {
    for (int64_t p = 0; p < count; ++p, y += pitch) std::fill_n(y, channels, T{});
}

template <bool accumulate, class T>
void window_row(const WindowArgs& a, int64_t image, int64_t row) {
    const View &x = a.x, &y = a.y.view;
    T* to = y.as<T>() + (image * y.h + row) * y.w * y.pitch;
    const int64_t source = row + a.top;
    int64_t begin = std::clamp<int64_t>(-a.left, 0, y.w), end = std::clamp<int64_t>(x.w - a.left, begin, y.w);
    if (source < 0 || source >= x.h) begin = end = 0;
    if (!accumulate) {
        zero_pixels(to, y.pitch, begin, y.c);
        zero_pixels(to + end * y.pitch, y.pitch, y.w - end, y.c);
    }
    if (begin < end)
        copy_pixels<accumulate>(x.as<const T>() + ((image * x.h + source) * x.w + begin + a.left) * x.pitch, x.pitch,
                                to + begin * y.pitch, y.pitch, end - begin, y.c);
}

}  // namespace

void window(Queue& q, const WindowArgs& a) {
    const View& y = a.y.view;
    check(a);
    ran("window/omp");
    dispatch_cpu("window", y.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_flag(a.y.accumulate, [&](auto accumulate) {
            parallel_each(q, y.n * y.h, y.count(),
                          [&](int64_t i) { window_row<decltype(accumulate)::value, T>(a, i / y.h, i % y.h); });
        });
    });
}

}  // namespace atrous::kernels::cpu
