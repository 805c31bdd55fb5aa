// 16-bit floating point storage: bfloat16 (8 exponent bits) and IEEE half (5 exponent bits).
// The host conversions below round to nearest even; device code converts through kernels/gpu/device.h.
#pragma once

#include <cstdint>
#include <cstring>

namespace atrous {

struct bf16 {
    uint16_t bits;
};
struct f16 {
    uint16_t bits;
};

namespace half_detail {
inline uint32_t bits_of(float x) {
    uint32_t u;
    std::memcpy(&u, &x, 4);
    return u;
}
inline float float_of(uint32_t u) {
    float x;
    std::memcpy(&x, &u, 4);
    return x;
}
}  // namespace half_detail

inline float to_float(float x) { return x; }
inline double to_float(double x) { return x; }
inline float to_float(bf16 h) { return half_detail::float_of(uint32_t(h.bits) << 16); }
inline float to_float(f16 h) {
    const uint32_t sign = uint32_t(h.bits & 0x8000u) << 16, exponent = h.bits >> 10 & 31, mantissa = h.bits & 1023;
    if (exponent == 31) return half_detail::float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent != 0) return half_detail::float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    const float magnitude = float(mantissa) * 0x1p-24f;  // subnormal: exact
    return sign ? -magnitude : magnitude;
}

// round_to<T>(x): x in T's format, round to nearest even.
template <class T>
T round_to(float x) {
    return T(x);
}
template <class T>
T round_to(double x) {
    return T(x);
}
template <>
inline bf16 round_to<bf16>(float x) {
    const uint32_t u = half_detail::bits_of(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {uint16_t(u >> 16 | 0x40)};  // NaN stays NaN
    return {uint16_t((u + 0x7fffu + (u >> 16 & 1)) >> 16)};
}
template <>
inline f16 round_to<f16>(float x) {
    const uint32_t u = half_detail::bits_of(x), sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {uint16_t(sign | 0x7e00u)};
    if (magnitude >= 0x477ff000u) return {uint16_t(sign | 0x7c00u)};  // 65520 and above round to infinity
    if (magnitude < 0x38800000u) {                                    // subnormal: adding 0.5 aligns the 2^-24 grid
        const float shifted = half_detail::float_of(magnitude) + 0.5f;
        return {uint16_t(sign | (half_detail::bits_of(shifted) - 0x3f000000u))};
    }
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
    return {uint16_t(sign | (rounded - 0x38000000u) >> 13)};
}
template <>
inline bf16 round_to<bf16>(double x) {
    return round_to<bf16>(float(x));
}
template <>
inline f16 round_to<f16>(double x) {
    return round_to<f16>(float(x));
}

}  // namespace atrous
