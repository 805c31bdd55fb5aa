// A window of each image. Grid: x over the groups of channels of one row of y, y over y's image rows (gpu/pixels.h,
// Rows). A thread owns one group of one pixel of y. No shared memory.
#include "kernels/window.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

template <class T>
struct WindowKernelArgs {
    const T* x;
    T* y;
    int64_t x_pitch, y_pitch, top, left;
    int in_h, in_w, out_h, out_w;
    bool accumulate;
    Rows rows;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) window_kernel(WindowKernelArgs<T> a) {
    for_each_row(a.rows, [&](int n, int i, int j, int group) {
        const int64_t row = i + a.top, column = j + a.left;
        T* y = a.y + ((int64_t(n) * a.out_h + i) * a.out_w + j) * a.y_pitch + group * W;
        Floats<W> value = {};
        if (row >= 0 && row < a.in_h && column >= 0 && column < a.in_w)
            value = load_floats<W>(a.x + ((n * int64_t(a.in_h) + row) * a.in_w + column) * a.x_pitch + group * W);
        if (a.accumulate) {
            const Floats<W> old = load_floats<W>(y);
#pragma unroll
            for (int k = 0; k < W; ++k) value.v[k] += old.v[k];
        }
        store_floats(y, value);
    });
}

}  // namespace

// ---- launchers ----

void window(Queue& q, const WindowArgs& a) {
    const View &x = a.x, &y = a.y.view;
    check(a);
    if (y.count() == 0) return;
    dispatch_gpu("window", y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        with_width<wide>(groups_fit(x, wide) && groups_fit(y, wide), [&](auto width) {
            constexpr int W = decltype(width)::value;
            const Rows rows(y.n, y.h, y.w, y.c / W);
            ran_width("window", W);
            launch(window_kernel<T, W>, rows.grid(), dim3(rows.threads), 0, q.stream(),
                   WindowKernelArgs<T>{x.as<T>(), y.as<T>(), x.pitch, y.pitch, a.top, a.left, int(x.h), int(x.w),
                                       int(y.h), int(y.w), a.y.accumulate, rows});
        });
    });
}

}  // namespace atrous::kernels::cuda
