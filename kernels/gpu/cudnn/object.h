// A backend descriptor that is destroyed with its owner. Every call that fails throws Failure with the descriptor's
// name.
#pragma once

#include <array>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/gpu/cudnn/api.h"

namespace atrous::cudnn {

template <class T>
inline constexpr Type type_of = [] {
    static_assert(std::is_same_v<T, int64_t>, "an attribute of this type has no name yet");
    return Type::int64;
}();
template <>
inline constexpr Type type_of<double> = Type::float64;
template <>
inline constexpr Type type_of<bool> = Type::boolean;
template <>
inline constexpr Type type_of<int32_t> = Type::int32;
template <>
inline constexpr Type type_of<char> = Type::character;
template <>
inline constexpr Type type_of<DataType> = Type::data_type;
template <>
inline constexpr Type type_of<ConvolutionMode> = Type::convolution_mode;
template <>
inline constexpr Type type_of<PointwiseMode> = Type::pointwise_mode;
template <>
inline constexpr Type type_of<HeuristicsMode> = Type::heuristics_mode;
template <>
inline constexpr Type type_of<KnobType> = Type::knob_type;
template <>
inline constexpr Type type_of<NumericalNote> = Type::numerical_note;
template <>
inline constexpr Type type_of<BehaviorNote> = Type::behavior_note;
template <>
inline constexpr Type type_of<Descriptor> = Type::descriptor;

class Object {
 public:
    Object(const Api& api, Kind kind);
    ~Object();
    Object(Object&& other) noexcept
        : api_(other.api_), kind_(other.kind_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}
    Object& operator=(Object&& other) noexcept {
        std::swap(api_, other.api_), std::swap(kind_, other.kind_), std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    Descriptor descriptor() const { return descriptor_; }

    void set(Attribute, Type, int64_t count, const void* values);
    template <class T>
    void set(Attribute attribute, const T& value) {
        set(attribute, type_of<T>, 1, &value);
    }
    template <class T, size_t N>
    void set(Attribute attribute, const std::array<T, N>& values) {
        set(attribute, type_of<T>, int64_t(N), values.data());
    }
    void set(Attribute attribute, const Object& value) { set(attribute, Type::descriptor, 1, &value.descriptor_); }

    void finalize();
    Status try_finalize() noexcept;  // the status instead of an exception

    // Fills at most `most` values and returns how many; with values null how many there may be.
    int64_t get(Attribute, Type, int64_t most, void* values) const;
    template <class T>
    T get(Attribute attribute) const {
        T value{};
        get(attribute, type_of<T>, 1, &value);
        return value;
    }
    template <class T>
    std::vector<T> get_all(Attribute attribute, size_t most) const {
        std::vector<T> values(most);
        values.resize(size_t(get(attribute, type_of<T>, int64_t(most), values.data())));
        return values;
    }

 private:
    [[noreturn]] void fail(const char* call, Status) const;
    const Api* api_;
    Kind kind_;
    Descriptor descriptor_ = nullptr;
};

}  // namespace atrous::cudnn
