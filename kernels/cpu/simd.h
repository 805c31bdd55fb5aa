// Loads and stores between storage and arithmetic types, free of branches so that loops over them vectorize.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/dtype.h"

namespace atrous::kernels::cpu {

inline float float_of_bits(uint32_t bits) { return half_detail::float_of(bits); }
inline uint32_t bits_of_float(float x) { return half_detail::bits_of(x); }

inline float load(const float& x) { return x; }
inline double load(const double& x) { return x; }
inline float load(const bf16& x) { return float_of_bits(uint32_t(x.bits) << 16); }
inline float load(const f16& x) {
    // Shifted into place the exponent is 112 too small; a product with 2^112 also normalizes subnormals.
    const uint32_t sign = uint32_t(x.bits & 0x8000u) << 16, magnitude = uint32_t(x.bits & 0x7fffu) << 13;
    const uint32_t scaled = bits_of_float(float_of_bits(magnitude) * 0x1p112f);
    const uint32_t special = (x.bits & 0x7c00u) == 0x7c00u ? magnitude | 0x7f800000u : scaled;
    return float_of_bits(sign | special);
}

// x in T's format, round to nearest even, as round_to<T>.
template <class T>
T narrow(float x) {
    return T(x);
}
template <class T>
T narrow(double x) {
    return T(x);
}
template <>
inline bf16 narrow<bf16>(float x) {
    const uint32_t u = bits_of_float(x);
    const uint32_t rounded = (u + 0x7fffu + (u >> 16 & 1)) >> 16, nan = u >> 16 | 0x40;
    return {uint16_t((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded)};
}
template <>
inline f16 narrow<f16>(float x) {
    const uint32_t u = bits_of_float(x), sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
    const uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1) - 0x38000000u) >> 13;
    const uint32_t subnormal =
        bits_of_float(float_of_bits(magnitude < 0x38800000u ? magnitude : 0) + 0.5f) - 0x3f000000u;
    uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude > 0x7f800000u ? 0x7e00u : half;
    return {uint16_t(sign | half)};
}
template <>
inline bf16 narrow<bf16>(double x) {
    return narrow<bf16>(float(x));
}
template <>
inline f16 narrow<f16>(double x) {
    return narrow<f16>(float(x));
}

// Writes value to a gradient, or adds it.
template <bool accumulate, class T, class A>
void put(T& to, A value) {
    if constexpr (accumulate)
        to = narrow<T>(load(to) + value);
    else
        to = narrow<T>(value);
}

// Asks for what lies some rows ahead of a row: loops over short rows of several arrays outrun the hardware's own
// guesses. Reaching past the end of an array is harmless.
constexpr int for_reading = 0, for_writing = 1;
template <int purpose = for_reading, class T>
inline void prefetch_ahead(const T* row, int64_t width) {
    const uintptr_t from = reinterpret_cast<uintptr_t>(row) + 4096;
    for (uintptr_t offset = 0; offset < uintptr_t(width) * sizeof(T); offset += 64)
        __builtin_prefetch(reinterpret_cast<const void*>(from + offset), purpose);
}

}  // namespace atrous::kernels::cpu
