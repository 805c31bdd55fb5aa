// Copies, casts and sums. Views have one shape and may be pitched; element types are as stated.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

// y = x, or y += x: copies a channel slice into or out of a concatenation, converting between any two of
// f32, bf16, f16 and f64 (rounding to nearest even). On GPUs without f64.
struct CopyArgs {
    View x;
    GradTarget y;
};
// y = a + b, one element type.
struct AddArgs {
    View a, b, y;
};
// y[i] = value for count contiguous elements.
struct FillArgs {
    void* y = nullptr;
    DType dtype = DType::f32;
    int64_t count = 0;
    double value = 0;
};

// What every implementation requires.
inline void check(const CopyArgs& a) { require(same_shape(a.x, a.y.view), "copy: shapes do not match"); }
inline void check(const AddArgs& args) {
    require(same_shape_and_type(args.a, args.b) && same_shape_and_type(args.a, args.y), "add: a, b and y do not match");
}
inline void check(const FillArgs& a) { require(a.count >= 0 && (a.y || a.count == 0), "fill: elements are needed"); }

// clang-format off
namespace reference {
void copy(Queue&, const CopyArgs&);
void add(Queue&, const AddArgs&);
void fill(Queue&, const FillArgs&);
}
namespace cpu {
void copy(Queue&, const CopyArgs&);
void add(Queue&, const AddArgs&);
void fill(Queue&, const FillArgs&);
}
namespace cuda {
void copy(Queue&, const CopyArgs&);
void add(Queue&, const AddArgs&);
void fill(Queue&, const FillArgs&);
}
// clang-format on

}  // namespace atrous::kernels
