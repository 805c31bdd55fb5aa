// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A value depends on (key, counter) alone, so results do not depend on who draws them or in which order.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace atrous {

inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t(0xD2511F53u) * counter[0], b = uint64_t(0xCD9E8D57u) * counter[2];
        counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ counter[3] ^ key[1],
                   uint32_t(a)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

// A number for a name, to draw by: FNV-1a.
inline uint64_t name_hash(std::string_view name) {
    uint64_t h = 14695981039346656037ull;
    for (unsigned char c : name) h = (h ^ c) * 1099511628211ull;
    return h;
}

// A stream of numbers named by a seed and up to three 64-bit identifiers, for example (seed, epoch, sample, operation).
class Random {
 public:
    explicit Random(uint64_t seed, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
        for (uint64_t id : {seed, a, b, c}) mix(id);
    }
    uint32_t next_u32() {
        if (used_ == 4) {
            block_ = philox4x32({uint32_t(draws_), uint32_t(draws_ >> 32), 0, 1}, key_);
            ++draws_;
            used_ = 0;
        }
        return block_[used_++];
    }
    uint64_t next_u64() {
        const uint64_t high = next_u32();
        return high << 32 | next_u32();
    }
    double uniform() { return double(next_u64() >> 11) * 0x1p-53; }                       // in [0, 1)
    double uniform(double low, double high) { return low + (high - low) * uniform(); }    // in [low, high)
    uint64_t below(uint64_t n) { return uint64_t((__uint128_t(next_u64()) * n) >> 64); }  // in [0, n)
    bool chance(double p) { return uniform() < p; }
    double normal() {  // Box-Muller
        const double u = 1.0 - uniform(), v = uniform();
        return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
    }

 private:
    void mix(uint64_t id) {
        const auto r = philox4x32({uint32_t(id), uint32_t(id >> 32), 0, 0}, key_);
        key_ = {r[0], r[1]};
    }
    std::array<uint32_t, 2> key_{0x61747231u, 0x6f75734eu};
    std::array<uint32_t, 4> block_{};
    uint64_t draws_ = 0;
    int used_ = 4;
};

}  // namespace atrous
