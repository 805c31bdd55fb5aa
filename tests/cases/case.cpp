#include "tests/cases/case.h"

#include <cmath>
#include <map>
#include <numeric>

#include "kernels/base/half.h"
#include "kernels/base/philox.h"

namespace atrous::cases {

double Tolerance::of(DType t) const {
    switch (t) {
        case DType::f64:
            return f64;
        case DType::bf16:
            return bf16;
        case DType::f16:
            return f16;
        default:
            return f32;
    }
}

bool differentiable(const Case& c) {
    for (const Input& input : c.inputs)
        if (input.differentiable) return true;
    return false;
}

DType type_of(const Input& input, DType activations) {
    switch (input.role) {
        case Role::activation:
        case Role::weight:
            return activations;
        case Role::parameter:
            return accumulator_of(activations);
        case Role::labels:
            return DType::u8;
        case Role::counts:
            return DType::i64;
    }
    return activations;
}

double minimum_bytes(const Case& c, DType activations, const Tensor& output) {
    double bytes = double(output.bytes());
    for (const Input& input : c.inputs)
        bytes += double(input.shape.count()) * double(size_of(type_of(input, activations)));
    return bytes;
}

static double round_one(double x, DType type) {
    switch (type) {
        case DType::f32:
            return float(x);
        case DType::bf16:
            return to_float(round_to<bf16>(float(x)));
        case DType::f16:
            return to_float(round_to<f16>(float(x)));
        default:
            return x;
    }
}

std::vector<double> rounded(std::vector<double> values, DType type) {
    for (double& x : values) x = round_one(x, type);
    return values;
}

static uint64_t name_hash(const std::string& name) {  // FNV-1a
    uint64_t h = 1469598103934665603u;
    for (unsigned char ch : name) h = (h ^ ch) * 1099511628211u;
    return h;
}

// Between -3 and 3. So few that a zero could make a case empty: none is zero or cancels another.
static double small_integer(Random& random, size_t count) {
    if (count < 4) return double(1 + random.below(3));
    return double(random.below(7)) - 3;
}

static std::vector<double> shuffled_grid(Random& random, size_t count) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = (double(i) - double(count / 2) + 0.5) * 3 / double(count);
    for (size_t i = count; i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
    return values;
}

static double draw(Random& random, const Input& input, bool integers) {
    const auto count = size_t(input.shape.count());
    switch (input.fill) {
        case Fill::labels:
            return random.below(8) == 0 ? 255 : double(random.below(uint64_t(input.classes)));
        case Fill::positive:
            return integers ? double(1 + random.below(3)) : random.uniform(0.5, 2) + input.offset;
        default:
            break;
    }
    if (integers || input.role == Role::counts) return small_integer(random, count);
    const double x = random.uniform(-2, 2);
    return (count < 4 ? std::abs(x) + 0.1 : x) + input.offset;  // tiny inputs must not all vanish in a ReLU
}

std::vector<double> values_of(const Case& c, size_t index, DType rounding, bool integers) {
    const Input& input = c.inputs[index];
    Random random(1, name_hash(c.op + c.label), index);
    const auto count = size_t(input.shape.count());
    std::vector<double> values(count);
    if (input.fill == Fill::distinct && !integers && count >= 4) {
        values = shuffled_grid(random, count);
        for (double& x : values) x += input.offset;
    } else {
        for (double& x : values) x = draw(random, input, integers);
    }
    return rounded(std::move(values), type_of(input, rounding));
}

std::vector<double> seed_of(const Case& c, int64_t count, DType rounding, bool integers) {
    Random random(2, name_hash(c.op + c.label));
    std::vector<double> values(static_cast<size_t>(count));
    for (double& x : values)
        x = integers ? small_integer(random, values.size()) : random.uniform(0.25, 1.5) * (random.chance(0.5) ? 1 : -1);
    return rounded(std::move(values), rounding);
}

static std::map<std::string, std::vector<Case> (*)()>& families() {
    static std::map<std::string, std::vector<Case> (*)()> all;
    return all;
}

Family::Family(const char* op, std::vector<Case> (*make)()) { families()[op] = make; }

std::vector<Case> Family::all_cases() {
    std::vector<Case> all;
    for (const auto& [op, make] : families())
        for (Case& c : make()) {
            c.op = op;
            all.push_back(std::move(c));
        }
    return all;
}

}  // namespace atrous::cases
