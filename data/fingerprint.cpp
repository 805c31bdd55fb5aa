#include "data/fingerprint.h"

#include <algorithm>
#include <cstring>

namespace atrous::data {

static uint64_t mixed(uint64_t a, uint64_t b) {
    const __uint128_t product = __uint128_t(a) * b;
    return uint64_t(product) ^ uint64_t(product >> 64);
}

// Folds products of 64 by 64 bits, 16 bytes at a time.
uint64_t hash_of_bytes(std::span<const uint8_t> bytes) {
    uint64_t hash = 0x9e3779b97f4a7c15ull ^ bytes.size();
    for (size_t at = 0; at < bytes.size(); at += 16) {
        uint64_t words[2] = {};
        std::memcpy(words, bytes.data() + at, std::min<size_t>(16, bytes.size() - at));
        hash =
            (hash << 1 | hash >> 63) + mixed(words[0] ^ 0xa0761d6478bd642full ^ hash, words[1] ^ 0xe7037ed1a0b428dbull);
    }
    return mixed(hash ^ 0x589965cc75374cc3ull, 0x8ebc6af09c88c6e3ull);
}

Fingerprint& Fingerprint::add_bytes(const void* from, size_t size) {
    const uint64_t words[] = {hash_, hash_of_bytes({static_cast<const uint8_t*>(from), size})};
    hash_ = hash_of_bytes({reinterpret_cast<const uint8_t*>(words), sizeof words});
    return *this;
}

}  // namespace atrous::data
