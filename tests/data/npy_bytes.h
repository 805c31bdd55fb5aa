// Files of NumPy, written by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous::data::test {

inline std::vector<uint8_t> npy_of_header(const std::string& header, const std::vector<uint8_t>& array,
                                          int version = 1) {
    std::vector<uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', uint8_t(version), 0};
    for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes.push_back(uint8_t(header.size() >> 8 * i));
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), array.begin(), array.end());
    return bytes;
}

// `shape` as Python writes it: "(2, 3)".
inline std::vector<uint8_t> npy(const std::string& dtype, const std::string& shape, const std::vector<uint8_t>& array,
                                bool fortran = false, int version = 1) {
    return npy_of_header("{'descr': '" + dtype + "', 'fortran_order': " + (fortran ? "True" : "False") +
                             ", 'shape': " + shape + ", }          \n",
                         array, version);
}

// The bytes of numbers as they lie in memory.
template <class T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
    const auto* from = reinterpret_cast<const uint8_t*>(values.data());
    return {from, from + values.size() * sizeof(T)};
}

}  // namespace atrous::data::test
