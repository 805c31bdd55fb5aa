// What an op is tested and measured with. One file an op states its cases; everything else is derived from them:
// parity with the reference, gradient checks, pitched and destination slices, thread orders, benchmarks.
//
//   static Tensor call(const std::vector<Tensor>& in, const Tensor&) { return relu(in[0]); }
//   static const Family family("relu", [] { return std::vector<Case>{{.label = "odd", .inputs = {…}, .call = call}};
//   });
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace atrous::cases {

enum class Fill {
    reals,     // uniform in [-2, 2)
    positive,  // uniform in [0.5, 2)
    distinct,  // evenly spaced around zero, none of them zero, shuffled: no ties and no kinks near a value
    labels,    // 0 … classes-1, and 255 for one in eight
};

// What an input is to the op, which decides its element type when the op runs with activations of type T.
enum class Role {
    activation,  // T, may be a channel slice; so is its gradient
    weight,      // T, dense; its gradient is accumulator_of(T)
    parameter,   // accumulator_of(T), and so is its gradient
    labels,      // u8
    counts,      // i64
};

struct Input {
    std::string name;
    Shape shape;
    Role role = Role::activation;
    Fill fill = Fill::reals;
    bool differentiable = true;
    bool written = false;  // an effect beside the value: compared after the forward pass
    double offset = 0;     // added to real fills
    int classes = 2;       // of labels
};

// Largest max|a-b| / max|b| against the reference in double, whose inputs are rounded as the tested ones are.
struct Tolerance {
    double f64 = 1e-12;    // sums of at most some thousand terms in another order
    double f32 = 1e-5;     // the same in float; float coordinates and exponentials
    double bf16 = 0x1p-7;  // rounding what is stored to 8 bits, once or twice on the way
    double f16 = 0x1p-10;  // the same with 11 bits
    double of(DType t) const;
};

struct Case {
    std::string op = {}, label = {};
    std::vector<Input> inputs = {};
    // The op: its output, written into the destination if there is one.
    std::function<Tensor(const std::vector<Tensor>&, const Tensor& destination)> call = {};
    bool takes_destination = false;
    bool exact = false;          // small integers give the same values in any order of summation
    bool smooth = true;          // central differences apply
    double flops = 0;            // of the forward pass
    double least_nonzero = 0.2;  // the smallest fraction of non-zero values that outputs and gradients may have
    Tolerance tolerance = {};
    std::function<bool(DeviceKind, DType)> supports = {};  // absent: every device and type
};

bool differentiable(const Case& c);
DType type_of(const Input& input, DType activations);
// What the forward pass cannot do without moving: inputs read once, the output written once.
double minimum_bytes(const Case& c, DType activations, const Tensor& output);

// An input's values, the same in every run: rounded to `rounding`; small integers if asked, where the fill is of reals.
std::vector<double> values_of(const Case& c, size_t input, DType rounding, bool integers);
// `count` values for a gradient that comes from outside.
std::vector<double> seed_of(const Case& c, int64_t count, DType rounding, bool integers);
std::vector<double> rounded(std::vector<double> values, DType type);

// The cases of one op. Defined once in each op's file, so that adding an op edits no list.
class Family {
 public:
    Family(const char* op, std::vector<Case> (*make)());
    static std::vector<Case> all_cases();  // in order of op and statement
};

}  // namespace atrous::cases
