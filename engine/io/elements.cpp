#include "engine/io/elements.h"

#include <cstring>

#include "base/error.h"

namespace atrous::io {
namespace {

template <class T, class F>
std::vector<double> widened(const std::vector<std::byte>& bytes, const F& value_of) {
    std::vector<double> values(bytes.size() / sizeof(T));
    for (size_t i = 0; i < values.size(); ++i) {
        T element;
        std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
        values[i] = double(value_of(element));
    }
    return values;
}

template <class T, class F>
std::vector<std::byte> narrowed(const std::vector<double>& values, const F& element_of) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    for (size_t i = 0; i < values.size(); ++i) {
        const T element = element_of(values[i]);
        std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
    return bytes;
}

constexpr auto same = [](auto x) { return x; };
constexpr auto from_half = [](auto x) { return to_float(x); };

}  // namespace

bool converts(DType from, DType to) {
    return from == to || (is_real(from) && is_real(to)) || (!is_real(from) && to == DType::i64);
}

std::vector<double> as_doubles(const std::vector<std::byte>& values, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return widened<float>(values, same);
        case DType::bf16:
            return widened<bf16>(values, from_half);
        case DType::f16:
            return widened<f16>(values, from_half);
        case DType::f64:
            return widened<double>(values, same);
        case DType::u8:
            return widened<uint8_t>(values, same);
        case DType::i32:
            return widened<int32_t>(values, same);
        case DType::i64:
            return widened<int64_t>(values, same);
    }
    return {};
}

std::vector<std::byte> from_doubles(const std::vector<double>& values, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return narrowed<float>(values, [](double x) { return float(x); });
        case DType::bf16:
            return narrowed<bf16>(values, [](double x) { return round_to<bf16>(float(x)); });
        case DType::f16:
            return narrowed<f16>(values, [](double x) { return round_to<f16>(float(x)); });
        case DType::f64:
            return narrowed<double>(values, same);
        case DType::i64:
            return narrowed<int64_t>(values, [](double x) { return int64_t(x); });
        default:
            throw ShapeError("numbers cannot be written as " + std::string(name_of(dtype)));
    }
}

std::vector<std::byte> converted(std::vector<std::byte> values, DType from, DType to) {
    if (from == to) return values;
    if (!converts(from, to))
        throw ShapeError(std::string("values of type ") + name_of(from) + " cannot become " + name_of(to));
    return from_doubles(as_doubles(values, from), to);
}

}  // namespace atrous::io
