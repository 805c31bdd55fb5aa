// Fields in protobuf's wire format (protobuf.dev/programming-guides/encoding), behind one another in a string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace atrous::io::protobuf {

enum Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

inline void put_varint(std::string& to, uint64_t value) {
    for (; value >= 128; value >>= 7) to += char(value | 128);
    to += char(value);
}
inline void put_key(std::string& to, int field, Wire wire) { put_varint(to, uint64_t(field) << 3 | wire); }
template <class T>
void put_fixed(std::string& to, T value) {  // this machine and the format are little-endian
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
// Negative numbers take ten bytes, as int64 does.
inline void put_integer(std::string& to, int field, int64_t value) {
    put_key(to, field, varint);
    put_varint(to, uint64_t(value));
}
inline void put_float(std::string& to, int field, float value) {
    put_key(to, field, fixed32);
    put_fixed(to, value);
}
// Texts and messages too.
inline void put_bytes(std::string& to, int field, std::string_view value) {
    put_key(to, field, bytes);
    put_varint(to, value.size());
    to += value;
}

}  // namespace atrous::io::protobuf
