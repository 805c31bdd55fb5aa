// What the convolutions use of oneDNN. dnnl.hpp, whose interface changes with its major version, is included by
// dnnl.cpp alone.
#pragma once

#include <array>
#include <cstdint>

#include "base/dtype.h"
#include "kernels/queue.h"

namespace atrous::kernels::cpu {

enum class Pass : uint8_t { forward, backward_input, backward_weight };

// A convolution of dense NHWC tensors: x [n][h][w][c], y [n][p][q][o]; f32 or bf16.
struct DnnlConv {
    const char* contract = "";  // whose work it is: the variant is named "<contract>/dnnl:<implementation>"
    Pass pass = Pass::forward;
    DType dtype = DType::f32;
    bool bias = false;        // forward: add it; backward_weight: its gradient is wanted
    bool accumulate = false;  // forward only: y += …
    int64_t n = 0, h = 0, w = 0, c = 0, p = 0, q = 0, o = 0, r = 0, s = 0;
    int64_t stride = 1, padding = 0, dilation = 1;
    std::array<int64_t, 4> w_strides{};  // of o, c, r, s
    int64_t threads = 1;
    bool operator==(const DnnlConv&) const = default;
};

// Whether oneDNN has an optimized implementation of this convolution, of f32 or bf16. Throws ShapeError where this
// processor lacks bf16.
bool dnnl_supports(Queue&, const DnnlConv&);
// A convolution that it supports. x, w, bias and y as the pass reads and writes them; weight gradients are f32.
void dnnl_convolution(Queue&, const DnnlConv&, const void* x, const void* w, const void* bias, const void* y);

// Whether oneDNN multiplies bf16 by tiles (AMX) here.
bool has_amx();

// `batch` products c[i] = a[i] * b (+ bias), of bf16: a [m][k], b [k][n] shared, c [m][n], bias f32 [n]; c's n is
// contiguous. The same about what is supported and thrown.
struct DnnlProduct {
    const char* contract = "";
    int64_t batch = 0, m = 0, n = 0, k = 0;
    bool bias = false;
    std::array<int64_t, 2> a_strides{}, b_strides{}, c_strides{};  // of batch and m; of k and n; of batch and m
    int64_t threads = 1;
    bool operator==(const DnnlProduct&) const = default;
};
bool dnnl_supports(Queue&, const DnnlProduct&);
void dnnl_product(Queue&, const DnnlProduct&, const void* a, const void* b, const void* bias, void* c);

}  // namespace atrous::kernels::cpu
