// A stable sort of keys with what belongs to them, by digits of eight bits from the lowest; passes in which all keys
// have one digit are skipped.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace atrous::kernels::cpu {

template <class Key>
struct Keyed {
    Key key;
    uint32_t value;
};

// Unsigned integers in the order of floating-point numbers from 0 up; NaN is above all.
inline uint32_t ordered_bits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}
inline uint64_t ordered_bits(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffffffffffu;
}
template <class A>
using ordered_bits_t = decltype(ordered_bits(A()));

// Sorts `items` by their keys, upwards, with `other` as a buffer of the same size. Returns which of the two holds the
// result.
template <class Key>
Keyed<Key>* radix_sort(Keyed<Key>* items, Keyed<Key>* other, int64_t count) {
    constexpr int digits = int(sizeof(Key));
    std::array<std::array<int64_t, 256>, digits> places{};
    for (int64_t i = 0; i < count; ++i)
        for (int d = 0; d < digits; ++d) ++places[d][items[i].key >> 8 * d & 255];
    for (int d = 0; d < digits; ++d) {
        auto& place = places[d];
        if (count == 0 || place[items[0].key >> 8 * d & 255] == count) continue;
        int64_t next = 0;
        for (int64_t& p : place) next += std::exchange(p, next);
        for (int64_t i = 0; i < count; ++i) other[place[items[i].key >> 8 * d & 255]++] = items[i];
        std::swap(items, other);
    }
    return items;
}

}  // namespace atrous::kernels::cpu
