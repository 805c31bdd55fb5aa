// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of our checkpoints and of TensorBoard's records.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atrous::io {

// The checksum of the bytes that gave `before`, followed by these: crc32c(b, n, crc32c(a, m)) is that of a then b.
uint32_t crc32c(const void* data, size_t bytes, uint32_t before = 0);

namespace detail {
uint32_t crc32c_portable(const void* data, size_t bytes, uint32_t before);
}

}  // namespace atrous::io
