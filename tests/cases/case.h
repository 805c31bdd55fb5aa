// What an op is tested and measured with. One file an op states its cases; everything else is derived from them:
// parity with the reference, gradient checks, pitched and destination slices, thread orders, benchmarks.
//
//   static Tensor call(const std::vector<Tensor>& in, const Tensor&) { return relu(in[0]); }
//   static Case relu_at(const Request& r) { … the op at the shapes of r, to be measured … }
//   static const Family family("relu", relu_at, [] {
//       return std::vector<Case>{{.label = "odd", .inputs = {…}, .call = call}};
//   });
#pragma once

#include <functional>
#include <map>
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

// What an op cannot do without moving, beside its inputs and its output or gradients once each.
struct Extra {
    double elements = 0;  // of activations: a second pass over them, say
    double bytes = 0;     // of anything else
};

struct Case {
    std::string op = {}, label = {};
    std::vector<Input> inputs = {};
    // The op: its output, written into the destination if there is one.
    std::function<Tensor(const std::vector<Tensor>&, const Tensor& destination)> call = {};
    bool takes_destination = false;
    bool exact = false;  // small integers give the same values in any order of summation
    bool smooth = true;  // central differences apply
    double flops = 0;    // of the forward pass
    double backward_flops = 0;
    bool backward_reads_inputs = true;
    Extra forward_extra = {}, backward_extra = {};
    double least_nonzero = 0.2;  // the smallest fraction of non-zero values that outputs and gradients may have
    Tolerance tolerance = {};
    std::function<bool(DeviceKind, DType)> supports = {};  // absent: every device and type
};

bool differentiable(const Case& c);
DType type_of(const Input& input, DType activations);
// The fewest bytes a pass can move. Forward: inputs read once, the output written once. Backward: the output's gradient
// and, where needed, the inputs read once, gradients written once. And what the case adds to either.
double forward_bytes(const Case& c, DType activations, const Tensor& output);
double backward_bytes(const Case& c, DType activations, const Tensor& output);

// An input's values, the same in every run: rounded to `rounding`; small integers if asked, where the fill is of reals.
std::vector<double> values_of(const Case& c, size_t input, DType rounding, bool integers);
// `count` values for a gradient that comes from outside.
std::vector<double> seed_of(const Case& c, int64_t count, DType rounding, bool integers);
std::vector<double> rounded(std::vector<double> values, DType type);

// An op at sizes that someone names, or that a net's tape has seen.
struct Request {
    std::vector<Shape> shapes;                   // of the activations, in the op's order
    std::vector<Shape> parameters = {};          // from a tape: what the op's numbers then need not say
    Shape output = {};                           // from a tape
    std::map<std::string, double> numbers = {};  // attributes under the tape's names; "to" holds a DType
    bool first_wanted = true;                    // the gradient of the first input is

    double number(const std::string& name, double otherwise) const;
    int64_t integer(const std::string& name, int64_t otherwise) const {
        return int64_t(number(name, double(otherwise)));
    }
    const Shape& shape(size_t i) const;  // UsageError where it is missing or not of rank 4
};

// The cases of one op. Defined once in each op's file, so that adding an op edits no list.
class Family {
 public:
    using MakeAll = std::vector<Case> (*)();
    using MakeAt = Case (*)(const Request&);
    Family(const char* op, MakeAll all);  // tested, not measured
    Family(const char* op, MakeAt at, MakeAll all);
    static std::vector<Case> all_cases();  // in order of op and statement
    static std::vector<std::string> ops();
    static Case at(const std::string& op, const Request& request);  // UsageError for an unknown op
};

}  // namespace atrous::cases
