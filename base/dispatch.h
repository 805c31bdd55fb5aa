// Turns a run-time element type into a template argument:
//   dispatch_float(dtype, [&](auto zero) { using T = decltype(zero); … }).
#pragma once

#include <string>

#include "base/dtype.h"
#include "base/error.h"

namespace atrous {

[[noreturn]] inline void unsupported_dtype(const char* kernel, DType t) {
    throw ShapeError(std::string(kernel) + ": element type " + name_of(t) + " is not supported here");
}

// f32 and f64: the reference.
template <class F>
void dispatch_exact(const char* kernel, DType t, F f) {
    if (t == DType::f32) return f(float{});
    if (t == DType::f64) return f(double{});
    unsupported_dtype(kernel, t);
}
// f32, bf16 and f16: GPU kernels.
template <class F>
void dispatch_gpu(const char* kernel, DType t, F f) {
    if (t == DType::f32) return f(float{});
    if (t == DType::bf16) return f(bf16{});
    if (t == DType::f16) return f(f16{});
    unsupported_dtype(kernel, t);
}
// f32, f64 and bf16: the cpu.
template <class F>
void dispatch_cpu(const char* kernel, DType t, F f) {
    if (t == DType::f32) return f(float{});
    if (t == DType::bf16) return f(bf16{});
    if (t == DType::f64) return f(double{});
    unsupported_dtype(kernel, t);
}

}  // namespace atrous
