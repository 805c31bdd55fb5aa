// Activations: element-wise loops over rows.
#include "kernels/activation.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace atrous::kernels::cpu {

namespace {

// y[i] = f(x[i]) in the arithmetic type.
template <class T, class F>
void map(const Queue& q, const ActivationArgs& a, F f) {
    const RowSplit rows = rows_of(elementwise_row, a.x, a.y);
    parallel_rows(q, rows, [&](int64_t row, int64_t width) {
        const T* x = rows.row<const T>(a.x, row);
        T* y = rows.row<T>(a.y, row);
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) y[i] = narrow<T>(f(load(x[i])));
    });
}

// dx[i] = or += f(dy[i], y[i]).
template <class T, class F>
void map_backward(const Queue& q, const ActivationBackwardArgs& a, F f) {
    const RowSplit rows = rows_of(elementwise_row, a.dy, a.y, a.dx.view);
    with_flag(a.dx.accumulate, [&](auto accumulate) {
        parallel_rows(q, rows, [&](int64_t row, int64_t width) {
            const T *dy = rows.row<const T>(a.dy, row), *y = rows.row<const T>(a.y, row);
            T* dx = rows.row<T>(a.dx.view, row);
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) put<accumulate>(dx[i], f(load(dy[i]), load(y[i])));
        });
    });
}

}  // namespace

void relu(Queue& q, const ActivationArgs& a) {
    check(a);
    ran("relu/omp");
    dispatch_cpu("relu", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<T>(q, a, [](auto x) { return x <= 0 ? decltype(x)(0) : x; });  // NaN fails the comparison and stays
    });
}

void relu_backward(Queue& q, const ActivationBackwardArgs& a) {
    check(a);
    ran("relu_backward/omp");
    dispatch_cpu("relu_backward", a.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        map_backward<T>(q, a, [](auto dy, auto y) { return y > 0 ? dy : decltype(dy)(0); });
    });
}

void sigmoid(Queue& q, const ActivationArgs& a) {
    check(a);
    ran("sigmoid/omp");
    dispatch_cpu("sigmoid", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<T>(q, a, [](auto x) {
            const auto e = vector_exp(x > 0 ? -x : x);  // at most 1: cannot overflow
            const auto r = 1 / (1 + e);
            return x > 0 ? r : e * r;
        });
    });
}

void sigmoid_backward(Queue& q, const ActivationBackwardArgs& a) {
    check(a);
    ran("sigmoid_backward/omp");
    dispatch_cpu("sigmoid_backward", a.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        map_backward<T>(q, a, [](auto dy, auto y) { return dy * y * (1 - y); });
    });
}

}  // namespace atrous::kernels::cpu
