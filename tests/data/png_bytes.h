// PNG files changed chunk by chunk, their checksums right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous::data::test {

inline void put_big32(std::vector<uint8_t>& bytes, size_t at, uint32_t v) {
    for (size_t i = 0; i < 4; ++i) bytes[at + i] = uint8_t(v >> (24 - 8 * i));
}
inline uint32_t big32(const std::vector<uint8_t>& bytes, size_t at) {
    return uint32_t(bytes[at]) << 24 | uint32_t(bytes[at + 1]) << 16 | uint32_t(bytes[at + 2]) << 8 | bytes[at + 3];
}

// Writes the checksum of the chunk whose length stands at `at`.
inline void put_crc(std::vector<uint8_t>& png, size_t at) {
    const size_t end = at + 8 + big32(png, at);
    uint32_t crc = 0xffffffffu;
    for (size_t i = at + 4; i < end; ++i) {
        crc ^= png[i];
        for (int k = 0; k < 8; ++k) crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
    }
    put_big32(png, end, ~crc);
}

// Where the chunk of this name begins, its length first; the size of the file where there is none.
inline size_t find_chunk(const std::vector<uint8_t>& png, const std::string& name) {
    size_t at = 8;
    while (at + 8 <= png.size() && std::string(png.begin() + long(at) + 4, png.begin() + long(at) + 8) != name)
        at += 12 + big32(png, at);
    return std::min(at, png.size());
}

inline std::vector<uint8_t> with_chunk(std::vector<uint8_t> png, const std::string& name,
                                       const std::vector<uint8_t>& data, const std::string& before = "IDAT") {
    std::vector<uint8_t> chunk(4);
    put_big32(chunk, 0, uint32_t(data.size()));
    chunk.insert(chunk.end(), name.begin(), name.end());
    chunk.insert(chunk.end(), data.begin(), data.end());
    chunk.resize(chunk.size() + 4);
    put_crc(chunk, 0);
    png.insert(png.begin() + long(find_chunk(png, before)), chunk.begin(), chunk.end());
    return png;
}

// An EXIF block whose directory holds the orientation alone.
inline std::vector<uint8_t> tiff_of_orientation(uint8_t orientation, bool little) {
    if (little)
        return {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0};
    return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0};
}

}  // namespace atrous::data::test
