#include "engine/io/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

namespace atrous::io {
namespace {

static_assert(std::endian::native == std::endian::little, "words below are read in little-endian order");

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b] is the effect of byte b followed by k zero bytes, so that eight bytes need eight independent look-ups.
constexpr Tables make_tables() {
    Tables tables{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0u);
        tables[0][byte] = crc;
    }
    for (size_t k = 1; k < 8; ++k)
        for (size_t byte = 0; byte < 256; ++byte) {
            const uint32_t crc = tables[k - 1][byte];
            tables[k][byte] = crc >> 8 ^ tables[0][crc & 255];
        }
    return tables;
}
constexpr Tables tables = make_tables();

uint64_t load_word(const unsigned char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(const unsigned char* at, size_t bytes, uint32_t before) {
    uint64_t crc = uint32_t(~before);
    for (; bytes >= 8; at += 8, bytes -= 8) crc = __builtin_ia32_crc32di(crc, load_word(at));
    for (; bytes > 0; ++at, --bytes) crc = __builtin_ia32_crc32qi(uint32_t(crc), *at);
    return ~uint32_t(crc);
}
#endif

}  // namespace

uint32_t detail::crc32c_portable(const void* data, size_t bytes, uint32_t before) {
    const auto* at = static_cast<const unsigned char*>(data);
    uint32_t crc = ~before;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        const uint64_t word = load_word(at) ^ crc;
        crc = 0;
        for (size_t k = 0; k < 8; ++k) crc ^= tables[7 - k][word >> 8 * k & 255];
    }
    for (; bytes > 0; ++at, --bytes) crc = crc >> 8 ^ tables[0][(crc ^ *at) & 255];
    return ~crc;
}

uint32_t crc32c(const void* data, size_t bytes, uint32_t before) {
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
    if (has_sse42) return crc32c_sse42(static_cast<const unsigned char*>(data), bytes, before);
#endif
    return detail::crc32c_portable(data, bytes, before);
}

}  // namespace atrous::io
