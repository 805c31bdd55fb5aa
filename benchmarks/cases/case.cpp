#include "benchmarks/cases/case.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/half.h"
#include "base/philox.h"
#include "base/suggest.h"

namespace atrous::cases {

double Tolerance::of(DType t, MathMode math) const {
    switch (t) {
        case DType::f64:
            return f64;
        case DType::bf16:
            return bf16;
        case DType::f16:
            return f16;
        default:
            return math == MathMode::tf32 ? tf32 : f32;
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

static double bytes_of(const Input& input, DType type) { return double(input.shape.count()) * double(size_of(type)); }

static double bytes_of(const Extra& extra, DType activations) {
    return extra.elements * double(size_of(activations)) + extra.bytes;
}

static double input_bytes(const Case& c, DType activations) {
    double bytes = 0;
    for (const Input& input : c.inputs) bytes += bytes_of(input, type_of(input, activations));
    return bytes;
}

double forward_bytes(const Case& c, DType activations, const Tensor& output) {
    return double(output.bytes()) + input_bytes(c, activations) + bytes_of(c.forward_extra, activations);
}

double backward_bytes(const Case& c, DType activations, const Tensor& output) {
    double bytes = double(output.bytes()) + bytes_of(c.backward_extra, activations);
    if (c.backward_reads_inputs) bytes += input_bytes(c, activations);
    for (const Input& input : c.inputs)
        if (input.differentiable)
            bytes += bytes_of(input, input.role == Role::activation ? activations : accumulator_of(activations));
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

double Request::number(const std::string& name, double otherwise) const {
    const auto it = numbers.find(name);
    return it == numbers.end() ? otherwise : it->second;
}

const Shape& Request::shape(size_t i) const {
    if (i < shapes.size() && shapes[i].rank() == 4) return shapes[i];
    throw UsageError(i < shapes.size() ? "shape " + shapes[i].text() + ": expected batch x height x width x channels"
                                       : "the op needs another shape: expected " + std::to_string(i + 1) + ", found " +
                                             std::to_string(shapes.size()));
}

bool Request::has_bias(bool otherwise) const {
    return parameters.empty() ? number("bias", otherwise) != 0 : parameters.size() > 1;
}

kernels::ConvGeometry Request::convolution(int64_t kernel) const {
    kernels::ConvGeometry g;
    g.stride = int(integer("stride", 1));
    g.dilation = int(integer("dilation", 1));
    g.padding = int(integer("padding", g.dilation * (kernel - 1) / 2));
    return g;
}

Shape Request::resized() const {
    const Shape& x = shape(0);
    const double scale = number("scale", 2);
    if (output.rank() == 4) return {x[0], output[1], output[2], x[3]};
    return {x[0], int64_t(double(x[1]) * scale), int64_t(double(x[2]) * scale), x[3]};
}

Input labels_for(const Shape& logits, LabelForm form) {
    return {.name = "labels",
            .shape = {logits[0], logits[1], logits[2], 1},
            .role = Role::labels,
            .fill = Fill::labels,
            .differentiable = false,
            .classes = int(std::max<int64_t>(2, label_values(form, logits[3])))};
}

static std::map<std::string, Measured::Make>& makers() {
    static std::map<std::string, Measured::Make> all;
    return all;
}

Measured::Measured(const char* op, Make make) { makers()[op] = make; }

std::vector<std::string> measured_ops() {
    std::vector<std::string> names;
    for (const auto& [op, make] : makers()) names.push_back(op);
    return names;
}

// Of more shapes than the op has activations, or of others than follow from the first, none is passed over in silence.
static void check_shapes(const Case& c, const Request& request) {
    std::vector<Shape> taken;
    for (const Input& input : c.inputs)
        if (input.role == Role::activation) taken.push_back(input.shape);
    if (request.shapes.size() > taken.size())
        throw UsageError(c.op + " takes " + std::to_string(taken.size()) + " shapes, found " +
                         std::to_string(request.shapes.size()));
    for (size_t i = 0; i < request.shapes.size(); ++i)
        if (request.shapes[i] != taken[i])
            throw UsageError("shape " + std::to_string(i + 1) + " of " + c.op + " is " + request.shapes[i].text() +
                             ", expected " + taken[i].text() + " beside " + taken[0].text());
}

Case case_at(const std::string& op, const Request& request) {
    const auto it = makers().find(op);
    if (it == makers().end()) {
        std::string known;
        for (const std::string& name : measured_ops()) known += (known.empty() ? "" : ", ") + name;
        throw UsageError("op '" + op + "' has no cases of a given size; expected one of " + known +
                         did_you_mean(op, measured_ops()));
    }
    Case c = it->second(request);
    c.op = op;
    check_shapes(c, request);
    if (!request.first_wanted && c.inputs[0].differentiable) {
        c.inputs[0].differentiable = false;
        c.backward_flops /= 2;  // of the products alone are flops counted that matter: one of two is left
    }
    return c;
}

}  // namespace atrous::cases
