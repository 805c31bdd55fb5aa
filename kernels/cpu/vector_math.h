// exp and log1p for loops that vectorize: straight-line polynomials, good to about 1e-7 relative in float. Doubles go
// to the C library. Coefficients are least-maximum fits of the relative error on the stated intervals.
#pragma once

#include <cmath>

#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

// e^x. Arguments are clamped to [-87.3, 88.3], so that results are normal numbers; NaN stays NaN.
inline float vector_exp(float x) {
    constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    constexpr float to_integer = 0x1.8p23f;  // adding it rounds to an integer, held in the low mantissa bits
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
    const float shifted = x * log2_e + to_integer, n = shifted - to_integer;
    const float r = (x - n * ln2_high) - n * ln2_low;  // |r| <= ln(2) / 2; n * ln2_high is exact
    float p = 1.381459851e-03f;
    p = p * r + 8.368716884e-03f;
    p = p * r + 4.166838805e-02f;
    p = p * r + 1.666652063e-01f;
    p = p * r + 4.999999345e-01f;
    const float mantissa = p * (r * r) + r + 1;
    return mantissa * float_of_bits((bits_of_float(shifted) + 127u) << 23);
}
inline double vector_exp(double x) { return std::exp(x); }

// log(1 + e) for 0 <= e <= 1, as 2 artanh(e / (2 + e)).
inline float vector_log1p(float e) {
    const float s = e / (2 + e), u = s * s;
    float p = 2.801198613e-01f;
    p = p * u + 2.800180543e-01f;
    p = p * u + 4.002152723e-01f;
    p = p * u + 6.666641629e-01f;
    return 2 * s + s * u * p;
}
inline double vector_log1p(double e) { return std::log1p(e); }

}  // namespace atrous::kernels::cpu
