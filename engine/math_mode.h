// How this process computes the products of f32 tensors on GPUs, in every op and in every dry run of one
// (kernels/queue.h): exactly, or in TF32 on tensor cores.
#pragma once

#include "kernels/queue.h"

namespace atrous {

// Set before tensors are computed with; `exact` at first.
MathMode math_mode();
void set_math_mode(MathMode mode);

// Another mode while it lives.
class ScopedMathMode {
 public:
    explicit ScopedMathMode(MathMode mode) : before_(math_mode()) { set_math_mode(mode); }
    ~ScopedMathMode() { set_math_mode(before_); }
    ScopedMathMode(const ScopedMathMode&) = delete;
    ScopedMathMode& operator=(const ScopedMathMode&) = delete;

 private:
    MathMode before_;
};

}  // namespace atrous
