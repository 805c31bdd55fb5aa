// Numbers that need no file: an integer hash of (name, index). tests/goldens/make.py and benchmarks/peers make the same.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/philox.h"
#include "engine/io/state_dict.h"
#include "engine/nn/init.h"

namespace atrous {

inline std::vector<double> hashed(const std::string& name, int64_t count) {
    const uint64_t h = name_hash(name);
    std::vector<double> values;
    values.reserve(size_t(count));
    for (int64_t i = 1; i <= count; ++i) {
        uint64_t z = h + uint64_t(i) * 0x9E3779B97F4A7C15ull;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        z ^= z >> 31;
        values.push_back(double(z >> 11) * 0x1p-52 - 1.0);
    }
    return values;
}

// A parameter's values in PyTorch's order: weights of Kaiming's size, batch norms near the identity, small biases.
inline std::vector<double> hashed_weights(const std::string& path, const Parameter& p) {
    auto values = hashed(path, p.shape.count());
    const auto dims = io::file_shape(p.shape, p.layout);
    double fan = 1;
    for (size_t i = 1; i < dims.size(); ++i) fan *= double(dims[i]);
    for (double& v : values)
        v = dims.size() >= 2 ? v * std::sqrt(6.0 / fan) : p.name == "weight" ? 1 + 0.1 * v : 0.1 * v;
    return values;
}

// T: the net's type of master weights.
template <class T>
void set_hashed_weights(Module& net) {
    for (auto& [path, p] : net.parameters()) {
        const auto values = hashed_weights(path, *p);
        const std::vector<T> rounded(values.begin(), values.end());
        const auto* bytes = reinterpret_cast<const std::byte*>(rounded.data());
        io::from_file_layout(p->value, p->layout, {bytes, bytes + rounded.size() * sizeof(T)});
    }
    refresh_halves(net.arena());
}

// [n][c][h][w] values as [n][h][w][c], and back.
template <class T>
std::vector<T> nhwc_of(const std::vector<T>& nchw, int64_t n, int64_t c, int64_t pixels) {
    std::vector<T> nhwc(nchw.size());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t ch = 0; ch < c; ++ch)
            for (int64_t p = 0; p < pixels; ++p)
                nhwc[size_t((i * pixels + p) * c + ch)] = nchw[size_t((i * c + ch) * pixels + p)];
    return nhwc;
}
template <class T>
std::vector<T> nchw_of(const std::vector<T>& nhwc, int64_t n, int64_t c, int64_t pixels) {
    std::vector<T> nchw(nhwc.size());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t p = 0; p < pixels; ++p)
            for (int64_t ch = 0; ch < c; ++ch)
                nchw[size_t((i * c + ch) * pixels + p)] = nhwc[size_t((i * pixels + p) * c + ch)];
    return nchw;
}

}  // namespace atrous
