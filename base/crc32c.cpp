#include "base/crc32c.h"

#include <bit>
#include <cstring>

#include "base/crc_tables.h"

namespace atrous::io {
namespace {

static_assert(std::endian::native == std::endian::little, "words below are read in little-endian order");

constexpr detail::CrcTables tables = detail::crc_tables(0x82F63B78);

#if defined(__x86_64__)
uint64_t load_word(const unsigned char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(const unsigned char* at, size_t bytes, uint32_t before) {
    uint64_t crc = uint32_t(~before);
    for (; bytes >= 8; at += 8, bytes -= 8) crc = __builtin_ia32_crc32di(crc, load_word(at));
    for (; bytes > 0; ++at, --bytes) crc = __builtin_ia32_crc32qi(uint32_t(crc), *at);
    return ~uint32_t(crc);
}
#endif

}  // namespace

uint32_t detail::crc32c_portable(const void* data, size_t bytes, uint32_t before) {
    return crc_by_tables(tables, data, bytes, before);
}

uint32_t crc32c(const void* data, size_t bytes, uint32_t before) {
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
    if (has_sse42) return crc32c_sse42(static_cast<const unsigned char*>(data), bytes, before);
#endif
    return detail::crc32c_portable(data, bytes, before);
}

}  // namespace atrous::io
