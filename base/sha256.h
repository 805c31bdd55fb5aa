// SHA-256 (FIPS 180-4), by which known weight files are recognized.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace atrous::io {

class Sha256 {
 public:
    void update(const void* data, size_t bytes);
    std::string hex();  // of all bytes so far; 64 digits. The object is spent

 private:
    void compress(const unsigned char* block);

    std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<unsigned char, 64> block_{};
    uint64_t bytes_ = 0;
};

std::string sha256_of_file(const std::string& path);  // IoError

}  // namespace atrous::io
