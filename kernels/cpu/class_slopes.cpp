// A thread takes a range of pixels and a pixel's classes in turn.
#include "kernels/class_slopes.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax.h"

namespace atrous::kernels::cpu {

namespace {

template <class T, class A>
void gradient_of_pixel(const ClassSlopesBackwardArgs& a, int64_t pixel, A scale, A* p, A* s) {
    const View& z = a.logits;
    bool still = true;
    for (int64_t c = 0; c < z.c; ++c) {
        s[c] = static_cast<const A*>(a.slopes)[c * z.pixels() + pixel];
        still = still && s[c] == 0;
    }
    if (!still && z.c > 1) {
        probabilities(z.as<const T>() + pixel * z.pitch, z.c, p);
        A mean = 0;
        for (int64_t c = 0; c < z.c; ++c) mean += p[c] * s[c];
        for (int64_t c = 0; c < z.c; ++c) s[c] = p[c] * (s[c] - mean);
    }
    T* const to = a.dlogits.view.as<T>() + pixel * a.dlogits.view.pitch;
    with_flag(a.dlogits.accumulate, [&](auto accumulate) {
        for (int64_t c = 0; c < z.c; ++c) put<accumulate>(to[c], still ? A(0) : scale * s[c]);
    });
}

template <class T>
void backward(Queue& q, const ClassSlopesBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    A* const buffers = q.scratch<A>(size_t(2 * z.c * q.threads()));
    if (q.is_dry_run()) return;
    const A scale = A(a.scale * double(*static_cast<const A*>(a.grad_output)));
    parallel_ranges(q, z.pixels(), z.count(), [&](int64_t begin, int64_t end, int thread) {
        A* const p = buffers + 2 * z.c * thread;
        for (int64_t pixel = begin; pixel < end; ++pixel) gradient_of_pixel<T>(a, pixel, scale, p, p + z.c);
    });
}

}  // namespace

void class_slopes_backward(Queue& q, const ClassSlopesBackwardArgs& a) {
    check(a);
    ran("class_slopes_backward/omp");
    dispatch_cpu("class_slopes_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
