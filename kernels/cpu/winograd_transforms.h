// The transforms of Winograd's minimal filtering F(m x m, 3 x 3), for m = 2 and 4 (Lavin, Gray: Fast algorithms for
// convolutional neural networks, 2015), with side = m + 2 points:
//
//   y  = Sum   [ (Spread w) . (Data x) ]    a tile of m x m outputs of side x side inputs
//   dw = SumT  [ (SpreadT dy) . (Data x) ]  what a tile adds to the weights' gradient
//
// where each transform is applied to rows and columns, and . multiplies point by point. The points of m = 2 are 0, 1, -1
// and infinity: small integers stay exact. Those of m = 4 are 0, +-3/4, +-3/2 and infinity, at which fp32 loses half as
// much as at the usual 0, +-1, +-2: of random data the error is 2.3 times that of a direct sum.
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

// The points +-a and +-b of m = 4. Of a point p, the products of its distances to the others divide its weights.
inline constexpr double a = 0.75, b = 1.5, aa = a * a, bb = b * b;
inline constexpr float at_zero = float(1 / (aa * bb)), at_a = float(1 / (2 * aa * (aa - bb))),
                       at_b = float(1 / (2 * bb * (bb - aa)));

template <int m>
struct Data;
template <>
struct Data<2> {
    static constexpr int in = 4, out = 4;
    static void apply(const V* x, V* y) {
        y[0] = x[0] - x[2];
        y[1] = x[1] + x[2];
        y[2] = x[2] - x[1];
        y[3] = x[3] - x[1];
    }
};
template <>
struct Data<4> {
    static constexpr int in = 6, out = 6;
    static void apply(const V* x, V* y) {
        const V even_a = x[4] - float(bb) * x[2], odd_a = x[3] - float(bb) * x[1];
        const V even_b = x[4] - float(aa) * x[2], odd_b = x[3] - float(aa) * x[1];
        y[0] = float(aa * bb) * x[0] - float(aa + bb) * x[2] + x[4];
        y[1] = even_a + float(a) * odd_a;
        y[2] = even_a - float(a) * odd_a;
        y[3] = even_b + float(b) * odd_b;
        y[4] = even_b - float(b) * odd_b;
        y[5] = float(aa * bb) * x[1] - float(aa + bb) * x[3] + x[5];
    }
};

template <int m>
struct Spread;  // of weights
template <>
struct Spread<2> {
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
struct Spread<4> {
    static constexpr int in = 3, out = 6;
    static void apply(const V* x, V* y) {
        const V even_a = at_a * (x[0] + float(aa) * x[2]), odd_a = float(at_a * a) * x[1];
        const V even_b = at_b * (x[0] + float(bb) * x[2]), odd_b = float(at_b * b) * x[1];
        y[0] = at_zero * x[0];
        y[1] = even_a + odd_a;
        y[2] = even_a - odd_a;
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
        y[5] = x[2];
    }
};

template <int m>
struct Sum;  // of products
template <>
struct Sum<2> {
    static constexpr int in = 4, out = 2;
    static void apply(const V* x, V* y) {
        y[0] = x[0] + (x[1] + x[2]);
        y[1] = (x[1] - x[2]) + x[3];
    }
};
template <>
struct Sum<4> {
    static constexpr int in = 6, out = 4;
    static void apply(const V* x, V* y) {
        const V sum_a = x[1] + x[2], sum_b = x[3] + x[4], odd_a = x[1] - x[2], odd_b = x[3] - x[4];
        y[0] = x[0] + sum_a + sum_b;
        y[1] = float(a) * odd_a + float(b) * odd_b;
        y[2] = float(aa) * sum_a + float(bb) * sum_b;
        y[3] = float(aa * a) * odd_a + float(bb * b) * odd_b + x[5];
    }
};

template <int m>
struct SpreadT;  // of output gradients: Sum transposed
template <>
struct SpreadT<2> {
    static constexpr int in = 2, out = 4;
    static void apply(const V* x, V* y) {
        y[0] = x[0];
        y[1] = x[0] + x[1];
        y[2] = x[0] - x[1];
        y[3] = x[1];
    }
};
template <>
struct SpreadT<4> {
    static constexpr int in = 4, out = 6;
    static void apply(const V* x, V* y) {
        const V even_a = x[0] + float(aa) * x[2], odd_a = float(a) * x[1] + float(aa * a) * x[3];
        const V even_b = x[0] + float(bb) * x[2], odd_b = float(b) * x[1] + float(bb * b) * x[3];
        y[0] = x[0];
        y[1] = even_a + odd_a;
        y[2] = even_a - odd_a;
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
        y[5] = x[3];
    }
};

template <int m>
struct SumT;  // to the weights' gradient: Spread transposed
template <>
struct SumT<2> {
    static constexpr int in = 4, out = 3;
    static void apply(const V* x, V* y) {
        const V even = .5f * (x[1] + x[2]);
        y[0] = x[0] + even;
        y[1] = .5f * (x[1] - x[2]);
        y[2] = even + x[3];
    }
};
template <>
struct SumT<4> {
    static constexpr int in = 6, out = 3;
    static void apply(const V* x, V* y) {
        const V even_a = at_a * (x[1] + x[2]), even_b = at_b * (x[3] + x[4]);
        y[0] = at_zero * x[0] + even_a + even_b;
        y[1] = float(at_a * a) * (x[1] - x[2]) + float(at_b * b) * (x[3] - x[4]);
        y[2] = float(aa) * even_a + float(bb) * even_b + x[5];
    }
};

}  // namespace atrous::kernels::cpu::winograd
