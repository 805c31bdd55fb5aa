// Tables of a reflected CRC of 32 bits. tables[k][b] is the effect of byte b followed by k zero bytes, so that eight
// bytes need eight independent look-ups.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace atrous::io::detail {

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables crc_tables(uint32_t reflected_polynomial) {
    CrcTables tables{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? reflected_polynomial : 0u);
        tables[0][byte] = crc;
    }
    for (size_t k = 1; k < 8; ++k)
        for (size_t byte = 0; byte < 256; ++byte) {
            const uint32_t crc = tables[k - 1][byte];
            tables[k][byte] = crc >> 8 ^ tables[0][crc & 255];
        }
    return tables;
}

inline uint32_t crc_by_tables(const CrcTables& tables, const void* data, size_t bytes, uint32_t before) {
    const auto* at = static_cast<const unsigned char*>(data);
    uint32_t crc = ~before;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word;
        std::memcpy(&word, at, sizeof word);
        word ^= crc;
        crc = 0;
        for (size_t k = 0; k < 8; ++k) crc ^= tables[7 - k][word >> 8 * k & 255];
    }
    for (; bytes > 0; ++at, --bytes) crc = crc >> 8 ^ tables[0][(crc ^ *at) & 255];
    return ~crc;
}

}  // namespace atrous::io::detail
