#include "base/crc32.h"

#include <bit>

#include "base/crc_tables.h"

namespace atrous::io {

static_assert(std::endian::native == std::endian::little, "words are read in little-endian order");

static constexpr detail::CrcTables tables = detail::crc_tables(0xEDB88320);

uint32_t crc32(const void* data, size_t bytes, uint32_t before) {
    return detail::crc_by_tables(tables, data, bytes, before);
}

}  // namespace atrous::io
