#include "engine/nn/init.h"

#include <cmath>

#include "base/philox.h"

namespace atrous {

static double draw(const Parameter& p, Random& random) {
    const auto uniform = [&](double bound) { return random.uniform(-bound, bound); };
    switch (p.init) {
        case Init::kaiming_uniform_pytorch:
        case Init::bias_uniform_pytorch:
            return uniform(std::sqrt(1 / p.fan));
        case Init::kaiming_uniform:
            return uniform(std::sqrt(6 / p.fan));
        case Init::kaiming_normal:
            return random.normal() * std::sqrt(2 / p.fan);
        case Init::xavier_uniform:
            return uniform(std::sqrt(3 / p.fan));
        case Init::normal_001:
            return random.normal() * 0.01;
        case Init::zeros:
            return 0;
        case Init::ones:
            return 1;
    }
    return 0;
}

template <class T>
static void fill_parameter(Parameter& p, uint64_t seed, const std::string& path) {
    Random random(seed, name_hash(path));
    std::vector<T> values(size_t(p.shape.count()));
    for (T& v : values) v = T(draw(p, random));
    p.value.copy_from_host(values.data(), values.size() * sizeof(T));
}

void initialize(ParameterArena& arena, uint64_t seed) {
    for (auto& [path, p] : arena.parameters) {
        if (p->value.dtype() == DType::f64)
            fill_parameter<double>(*p, seed, path);
        else
            fill_parameter<float>(*p, seed, path);
    }
    refresh_halves(arena);
}

void refresh_halves(ParameterArena& arena) {
    if (arena.halves.defined()) arena.halves.copy_from(arena.values);
}

}  // namespace atrous
