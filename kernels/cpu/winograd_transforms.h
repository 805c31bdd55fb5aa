// The transforms of Winograd's minimal filtering F(m x m, 3 x 3), for m = 2 and 4 (Lavin, Gray: Fast algorithms for
// convolutional neural networks, 2015), with side = m + 2 points:
//
//   y  = OutputTransform   [ (FilterTransform w) . (DataTransform x) ]    a tile of m x m outputs of side x side inputs
//   dw = FilterTransposed  [ (OutputTransposed dy) . (DataTransform x) ]  what a tile adds to the weights' gradient
//
// where each transform is applied to rows and columns, and . multiplies point by point. The points of m = 2 are 0, 1, -1
// and infinity: small integers stay exact. Those of m = 4 are 0, +-3/4, +-3/2 and infinity, at which fp32 loses half as
// much as at the usual 0, +-1, +-2: of random data the error is 2.2 times that of a direct sum.
#pragma once

#include "kernels/cpu/register_tile.h"

namespace atrous::kernels::cpu::winograd {

using V = vector_t<float>;

// F: `out` values of `in` values along one axis; here along both.
template <class F, class Load, class Store>
inline void transform(Load load, Store store) {
    V half[F::out][F::in];
#pragma GCC unroll 8
    for (int j = 0; j < F::in; ++j) {
        V from[F::in], to[F::out];
#pragma GCC unroll 8
        for (int i = 0; i < F::in; ++i) from[i] = load(i, j);
        F::apply(from, to);
#pragma GCC unroll 8
        for (int i = 0; i < F::out; ++i) half[i][j] = to[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < F::out; ++i) {
        V to[F::out];
        F::apply(half[i], to);
#pragma GCC unroll 8
        for (int j = 0; j < F::out; ++j) store(i, j, to[j]);
    }
}

// The points +-near and +-far of m = 4. Of a point p, the products of its distances to the others divide its weights.
inline constexpr double near = 0.75, far = 1.5, near2 = near * near, far2 = far * far;
inline constexpr float at_zero = float(1 / (near2 * far2)), at_near = float(1 / (2 * near2 * (near2 - far2))),
                       at_far = float(1 / (2 * far2 * (far2 - near2)));

template <int m>
struct DataTransform;
template <>
struct DataTransform<2> {
    static constexpr int in = 4, out = 4;
    static void apply(const V* x, V* y) {
        y[0] = x[0] - x[2];
        y[1] = x[1] + x[2];
        y[2] = x[2] - x[1];
        y[3] = x[3] - x[1];
    }
};
template <>
struct DataTransform<4> {
    static constexpr int in = 6, out = 6;
    static void apply(const V* x, V* y) {
        const V even_near = x[4] - float(far2) * x[2], odd_near = x[3] - float(far2) * x[1];
        const V even_far = x[4] - float(near2) * x[2], odd_far = x[3] - float(near2) * x[1];
        y[0] = float(near2 * far2) * x[0] - float(near2 + far2) * x[2] + x[4];
        y[1] = even_near + float(near) * odd_near;
        y[2] = even_near - float(near) * odd_near;
        y[3] = even_far + float(far) * odd_far;
        y[4] = even_far - float(far) * odd_far;
        y[5] = float(near2 * far2) * x[1] - float(near2 + far2) * x[3] + x[5];
    }
};

template <int m>
struct FilterTransform;  // of weights
template <>
struct FilterTransform<2> {
    static constexpr int in = 3, out = 4;
    static void apply(const V* x, V* y) {
        const V even = .5f * (x[0] + x[2]), odd = .5f * x[1];
        y[0] = x[0];
        y[1] = even + odd;
        y[2] = even - odd;
        y[3] = x[2];
    }
};
template <>
struct FilterTransform<4> {
    static constexpr int in = 3, out = 6;
    static void apply(const V* x, V* y) {
        const V even_near = at_near * (x[0] + float(near2) * x[2]), odd_near = float(at_near * near) * x[1];
        const V even_far = at_far * (x[0] + float(far2) * x[2]), odd_far = float(at_far * far) * x[1];
        y[0] = at_zero * x[0];
        y[1] = even_near + odd_near;
        y[2] = even_near - odd_near;
        y[3] = even_far + odd_far;
        y[4] = even_far - odd_far;
        y[5] = x[2];
    }
};

template <int m>
struct OutputTransform;  // of products
template <>
struct OutputTransform<2> {
    static constexpr int in = 4, out = 2;
    static void apply(const V* x, V* y) {
        y[0] = x[0] + (x[1] + x[2]);
        y[1] = (x[1] - x[2]) + x[3];
    }
};
template <>
struct OutputTransform<4> {
    static constexpr int in = 6, out = 4;
    static void apply(const V* x, V* y) {
        const V sum_near = x[1] + x[2], sum_far = x[3] + x[4], odd_near = x[1] - x[2], odd_far = x[3] - x[4];
        y[0] = x[0] + sum_near + sum_far;
        y[1] = float(near) * odd_near + float(far) * odd_far;
        y[2] = float(near2) * sum_near + float(far2) * sum_far;
        y[3] = float(near2 * near) * odd_near + float(far2 * far) * odd_far + x[5];
    }
};

template <int m>
struct OutputTransposed;  // of output gradients: OutputTransform transposed
template <>
struct OutputTransposed<2> {
    static constexpr int in = 2, out = 4;
    static void apply(const V* x, V* y) {
        y[0] = x[0];
        y[1] = x[0] + x[1];
        y[2] = x[0] - x[1];
        y[3] = x[1];
    }
};
template <>
struct OutputTransposed<4> {
    static constexpr int in = 4, out = 6;
    static void apply(const V* x, V* y) {
        const V even_near = x[0] + float(near2) * x[2], odd_near = float(near) * x[1] + float(near2 * near) * x[3];
        const V even_far = x[0] + float(far2) * x[2], odd_far = float(far) * x[1] + float(far2 * far) * x[3];
        y[0] = x[0];
        y[1] = even_near + odd_near;
        y[2] = even_near - odd_near;
        y[3] = even_far + odd_far;
        y[4] = even_far - odd_far;
        y[5] = x[3];
    }
};

template <int m>
struct FilterTransposed;  // to the weights' gradient: FilterTransform transposed
template <>
struct FilterTransposed<2> {
    static constexpr int in = 4, out = 3;
    static void apply(const V* x, V* y) {
        const V even = .5f * (x[1] + x[2]);
        y[0] = x[0] + even;
        y[1] = .5f * (x[1] - x[2]);
        y[2] = even + x[3];
    }
};
template <>
struct FilterTransposed<4> {
    static constexpr int in = 6, out = 3;
    static void apply(const V* x, V* y) {
        const V even_near = at_near * (x[1] + x[2]), even_far = at_far * (x[3] + x[4]);
        y[0] = at_zero * x[0] + even_near + even_far;
        y[1] = float(at_near * near) * (x[1] - x[2]) + float(at_far * far) * (x[3] - x[4]);
        y[2] = float(near2) * even_near + float(far2) * even_far + x[5];
    }
};

}  // namespace atrous::kernels::cpu::winograd
