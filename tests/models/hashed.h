// The numbers that tests/goldens/make.py made its nets and data from: an integer hash of (name, index).
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace atrous {

inline std::vector<double> hashed(const std::string& name, int64_t count) {
    uint64_t h = 14695981039346656037ull;
    for (unsigned char c : name) h = (h ^ c) * 1099511628211ull;
    std::vector<double> values;
    for (int64_t i = 1; i <= count; ++i) {
        uint64_t z = h + uint64_t(i) * 0x9E3779B97F4A7C15ull;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        z ^= z >> 31;
        values.push_back(double(z >> 11) * 0x1p-52 - 1.0);
    }
    return values;
}

}  // namespace atrous
