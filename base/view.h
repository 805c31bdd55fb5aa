// Kernels see tensors as views: a pointer, an element type and a shape. Nothing here owns memory.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace atrous {

// An NHWC activation [n][h][w][c]: element (n, y, x, ch) is data[((n * h + y) * w + x) * pitch + ch].
// pitch is the distance between neighbouring pixels in elements: c when dense, more for a channel slice of a wider
// tensor. Convolution weights are the view [O][kh][kw][I]. data == nullptr means "absent" for optional arguments.
struct View {
    void* data = nullptr;
    DType dtype = DType::f32;
    int64_t n = 0, h = 0, w = 0, c = 0, pitch = 0;

    int64_t pixels() const { return n * h * w; }
    int64_t count() const { return n * h * w * c; }
    bool dense() const { return pitch == c; }
    explicit operator bool() const { return data != nullptr; }
    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }
};

inline bool same_shape(const View& a, const View& b) { return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c; }
inline bool same_shape_and_type(const View& a, const View& b) { return same_shape(a, b) && a.dtype == b.dtype; }

// A gradient buffer: the kernel adds to it if accumulate is set and overwrites it otherwise; absent if not wanted.
struct GradTarget {
    View view;
    bool accumulate = false;
    explicit operator bool() const { return view.data != nullptr; }
};

// The gradient buffer of a vector of per-channel values or parameters, of type accumulator_of(activation type).
struct VectorGradTarget {
    void* data = nullptr;
    bool accumulate = false;
    explicit operator bool() const { return data != nullptr; }
    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace atrous
