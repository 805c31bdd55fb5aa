// CRC-32 (IEEE 802.3, polynomial 0x04C11DB7 reflected), the checksum of zip entries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atrous::io {

// crc32(b, n, crc32(a, m)) is that of a followed by b.
uint32_t crc32(const void* data, size_t bytes, uint32_t before = 0);

}  // namespace atrous::io
