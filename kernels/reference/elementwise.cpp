// Copies, sums and fills by their definitions.
#include "kernels/elementwise.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

double load(const View& v, int64_t pixel, int64_t c) {
    switch (v.dtype) {
        case DType::f32:
            return at<float>(v, pixel, c);
        case DType::bf16:
            return to_float(at<bf16>(v, pixel, c));
        case DType::f16:
            return to_float(at<f16>(v, pixel, c));
        case DType::f64:
            return at<double>(v, pixel, c);
        default:
            unsupported_dtype("copy", v.dtype);
    }
}

void save(const View& v, int64_t pixel, int64_t c, double value) {
    switch (v.dtype) {
        case DType::f32:
            at<float>(v, pixel, c) = float(value);
            return;
        case DType::bf16:
            at<bf16>(v, pixel, c) = round_to<bf16>(value);
            return;
        case DType::f16:
            at<f16>(v, pixel, c) = round_to<f16>(value);
            return;
        case DType::f64:
            at<double>(v, pixel, c) = value;
            return;
        default:
            unsupported_dtype("copy", v.dtype);
    }
}

template <class T>
void fill_with(const FillArgs& a) {
    for (int64_t i = 0; i < a.count; ++i) static_cast<T*>(a.y)[i] = T(a.value);
}

template <class T>
void fill_with_half(const FillArgs& a) {
    for (int64_t i = 0; i < a.count; ++i) static_cast<T*>(a.y)[i] = round_to<T>(a.value);
}

}  // namespace

void copy(Queue&, const CopyArgs& a) {
    const View& y = a.y.view;
    check(a);
    ran("copy/reference");
    for_each_element(y, [&](int64_t pixel, int64_t c) {
        const double x = load(a.x, pixel, c);
        save(y, pixel, c, a.y.accumulate ? load(y, pixel, c) + x : x);
    });
}

void add(Queue&, const AddArgs& args) {
    check(args);
    ran("add/reference");
    dispatch_exact("add", args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(args.y, [&](int64_t pixel, int64_t c) {
            at<T>(args.y, pixel, c) = at<T>(args.a, pixel, c) + at<T>(args.b, pixel, c);
        });
    });
}

void fill(Queue&, const FillArgs& a) {
    check(a);
    ran("fill/reference");
    switch (a.dtype) {
        case DType::f32:
            return fill_with<float>(a);
        case DType::f64:
            return fill_with<double>(a);
        case DType::bf16:
            return fill_with_half<bf16>(a);
        case DType::f16:
            return fill_with_half<f16>(a);
        case DType::u8:
            return fill_with<uint8_t>(a);
        case DType::i32:
            return fill_with<int32_t>(a);
        case DType::i64:
            return fill_with<int64_t>(a);
    }
}

}  // namespace atrous::kernels::reference
