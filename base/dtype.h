// Element types of tensors. Half types are storage only: arithmetic on them is done in float.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/half.h"

namespace atrous {

enum class DType : uint8_t { f32, bf16, f16, f64, u8, i32, i64 };

constexpr size_t size_of(DType t) {
    switch (t) {
        case DType::f64:
        case DType::i64:
            return 8;
        case DType::f32:
        case DType::i32:
            return 4;
        case DType::bf16:
        case DType::f16:
            return 2;
        case DType::u8:
            return 1;
    }
    return 0;
}

constexpr const char* name_of(DType t) {
    switch (t) {
        case DType::f32:
            return "f32";
        case DType::bf16:
            return "bf16";
        case DType::f16:
            return "f16";
        case DType::f64:
            return "f64";
        case DType::u8:
            return "u8";
        case DType::i32:
            return "i32";
        case DType::i64:
            return "i64";
    }
    return "?";
}

constexpr bool is_real(DType t) { return t == DType::f32 || t == DType::bf16 || t == DType::f16 || t == DType::f64; }
constexpr bool is_half(DType t) { return t == DType::bf16 || t == DType::f16; }

// The type in which statistics, sums and parameter gradients of activations of type t are kept.
constexpr DType accumulator_of(DType t) { return t == DType::f64 ? DType::f64 : DType::f32; }

template <class T>
struct dtype_of_t;
template <>
struct dtype_of_t<float> {
    static constexpr DType value = DType::f32;
};
template <>
struct dtype_of_t<bf16> {
    static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of_t<f16> {
    static constexpr DType value = DType::f16;
};
template <>
struct dtype_of_t<double> {
    static constexpr DType value = DType::f64;
};
template <>
struct dtype_of_t<uint8_t> {
    static constexpr DType value = DType::u8;
};
template <>
struct dtype_of_t<int32_t> {
    static constexpr DType value = DType::i32;
};
template <>
struct dtype_of_t<int64_t> {
    static constexpr DType value = DType::i64;
};
template <class T>
inline constexpr DType dtype_of = dtype_of_t<T>::value;

// The C++ type of statistics and sums for elements of type T (see accumulator_of).
template <class T>
struct accumulator {
    using type = float;
};
template <>
struct accumulator<double> {
    using type = double;
};
template <class T>
using accumulator_t = typename accumulator<T>::type;

}  // namespace atrous
