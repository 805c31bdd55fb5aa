// Copies, sums and fills: element-wise loops over rows.
#include "kernels/elementwise.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

template <class F>
void dispatch_real(const char* kernel, DType t, F f) {
    if (t == DType::f16) return f(f16{});
    dispatch_cpu(kernel, t, f);
}

// Sums are in double where either side is, else in float.
template <class From, class To>
void copy_rows(const Queue& q, const CopyArgs& a) {
    using A = std::conditional_t<std::is_same_v<From, double> || std::is_same_v<To, double>, double, float>;
    const RowSplit rows = rows_of(elementwise_row, a.x, a.y.view);
    with_flag(a.y.accumulate, [&](auto accumulate) {
        parallel_rows(q, rows, [&](int64_t row, int64_t width) {
            const From* x = rows.row<const From>(a.x, row);
            To* y = rows.row<To>(a.y.view, row);
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) put<accumulate>(y[i], A(load(x[i])));
        });
    });
}

template <class T>
void fill_with(const Queue& q, const FillArgs& a, T value) {
    T* y = static_cast<T*>(a.y);
    const int64_t blocks = ceil_div(a.count, elementwise_row);
    parallel_ranges(q, blocks, a.count, [&](int64_t begin, int64_t end, int) {
        std::fill(y + begin * elementwise_row, y + std::min(end * elementwise_row, a.count), value);
    });
}

}  // namespace

void copy(Queue& q, const CopyArgs& a) {
    check(a);
    ran("copy/omp");
    dispatch_real("copy", a.x.dtype, [&](auto from) {
        dispatch_real("copy", a.y.view.dtype, [&](auto to) { copy_rows<decltype(from), decltype(to)>(q, a); });
    });
}

void add(Queue& q, const AddArgs& args) {
    check(args);
    ran("add/omp");
    dispatch_cpu("add", args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const RowSplit rows = rows_of(elementwise_row, args.a, args.b, args.y);
        parallel_rows(q, rows, [&](int64_t row, int64_t width) {
            const T *a = rows.row<const T>(args.a, row), *b = rows.row<const T>(args.b, row);
            T* y = rows.row<T>(args.y, row);
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) y[i] = narrow<T>(load(a[i]) + load(b[i]));
        });
    });
}

void fill(Queue& q, const FillArgs& a) {
    check(a);
    ran("fill/omp");
    switch (a.dtype) {
        case DType::f32:
            return fill_with(q, a, float(a.value));
        case DType::f64:
            return fill_with(q, a, a.value);
        case DType::bf16:
            return fill_with(q, a, narrow<bf16>(a.value));
        case DType::f16:
            return fill_with(q, a, narrow<f16>(a.value));
        case DType::u8:
            return fill_with(q, a, uint8_t(a.value));
        case DType::i32:
            return fill_with(q, a, int32_t(a.value));
        case DType::i64:
            return fill_with(q, a, int64_t(a.value));
    }
}

}  // namespace atrous::kernels::cpu
