// An op on operands of given sizes: what `atrous bench` measures. One file an op makes its case, and the tests of the op
// are such cases with what they check (tests/cases/tested.h).
//
//   static Case relu_at(const Request& r) {
//       Case c{.inputs = {{"x", r.shape(0)}}};
//       c.call = [](const std::vector<Tensor>& in, const Tensor&) { return relu(in[0]); };
//       return c;
//   }
//   static const Measured measured("relu", relu_at);
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/label_form.h"
#include "engine/tensor.h"
#include "kernels/conv.h"

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
    double f64 = 1e-12;     // sums of at most some thousand terms in another order
    double f32 = 1e-5;      // the same in float; float coordinates and exponentials
    double bf16 = 0x1p-7;   // rounding what is stored to 8 bits, once or twice on the way
    double f16 = 0x1p-10;   // the same with 11 bits
    double tf32 = 0x1p-10;  // factors of products rounded to 11 bits
    double of(DType t, MathMode math = MathMode::exact) const;
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
    double flops = 0;  // of the forward pass
    double backward_flops = 0;
    bool backward_reads_inputs = true;
    Extra forward_extra = {}, backward_extra = {};
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

    // Of a convolution: the weight that the tape has seen, or the one given; whether there is a bias, which "bias" says
    // where no tape has seen it; and its geometry, without a padding the one that keeps the size.
    Shape weight_or(const Shape& weight) const { return parameters.empty() ? weight : parameters[0]; }
    bool has_bias(bool otherwise) const;
    kernels::ConvGeometry convolution(int64_t kernel) const;
    Shape resized() const;  // the output, or the first shape times "scale", 2 where it is absent
};

Input labels_for(const Shape& logits, LabelForm form = LabelForm::ids);

// Makes an op's case. Defined once in each op's file, so that adding an op edits no list.
struct Measured {
    using Make = Case (*)(const Request&);
    Measured(const char* op, Make make);
};
std::vector<std::string> measured_ops();
Case case_at(const std::string& op, const Request& request);  // UsageError for an unknown op, or shapes it cannot take

}  // namespace atrous::cases
