#include "data/elements.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"

namespace atrous::data {

namespace {

template <class F>
auto dispatch(Element type, F f) {
    switch (type) {
        case Element::u8:
            return f(uint8_t{});
        case Element::i8:
            return f(int8_t{});
        case Element::u16:
            return f(uint16_t{});
        case Element::i16:
            return f(int16_t{});
        case Element::u32:
            return f(uint32_t{});
        case Element::i32:
            return f(int32_t{});
        case Element::u64:
            return f(uint64_t{});
        case Element::i64:
            return f(int64_t{});
        case Element::f16:
            return f(f16{});
        case Element::f32:
            return f(float{});
        case Element::f64:
            break;
    }
    return f(double{});
}

template <class T>
T element_at(const uint8_t* from, bool swapped) {
    uint8_t bytes[sizeof(T)];
    std::memcpy(bytes, from, sizeof(T));
    if (swapped) std::reverse(bytes, bytes + sizeof(T));
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
}

template <class To, class From>
To converted(From value) {
    if constexpr (std::is_same_v<From, f16>)
        return To(to_float(value));
    else
        return To(value);
}

}  // namespace

int64_t size_of(Element type) {
    return dispatch(type, [](auto zero) { return int64_t(sizeof(zero)); });
}

Image make_image(Element type, int64_t h, int64_t w, int c) {
    if (type == Element::u8) return make_image<uint8_t>(h, w, c);
    if (type == Element::u16) return make_image<uint16_t>(h, w, c);
    return make_image<float>(h, w, c);
}

void put_elements(const ElementRun& run, Image& image, int64_t first, int64_t step) {
    dispatch(run.type, [&](auto zero) {
        using From = decltype(zero);
        using To = std::conditional_t<std::is_same_v<From, uint8_t> || std::is_same_v<From, uint16_t>, From, float>;
        To* to = image.pixels<To>().data() + first;
        const int64_t apart = run.step * int64_t(sizeof(From));
        for (int64_t i = 0; i < run.count; ++i)
            to[i * step] = converted<To>(element_at<From>(run.from + i * apart, run.swapped));
    });
}

}  // namespace atrous::data
