// Hashes of 64 bits, well mixed, the same on every machine of one byte order; not for secrets.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace atrous::data {

uint64_t hash_of_bytes(std::span<const uint8_t> bytes);

// Of several numbers and texts; never 0.
class Fingerprint {
 public:
    template <class T>
    requires std::is_arithmetic_v<T> Fingerprint& add(T value) { return add_bytes(&value, sizeof value); }
    Fingerprint& add(std::string_view text) { return add_bytes(text.data(), text.size()); }
    Fingerprint& add(const std::vector<uint8_t>& bytes) { return add_bytes(bytes.data(), bytes.size()); }
    uint64_t value() const { return hash_ != 0 ? hash_ : 1; }

 private:
    Fingerprint& add_bytes(const void* from, size_t size);
    uint64_t hash_ = 0;
};

}  // namespace atrous::data
