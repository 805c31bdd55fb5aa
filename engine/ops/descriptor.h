// A descriptor holds what an op says of itself, in its own file. Everything that is not arithmetic asks here, by the
// op's name, and nobody else knows any op: `atrous run-op`, layer tables, receptive fields, multiply-adds, warnings,
// benchmarks, ONNX.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/ops/reach.h"

namespace atrous {

class OnnxGraph;

enum class OperandKind {
    activation,             // [N][H][W][C]
    conv_weight,            // [O][R][S][I]
    conv_transpose_weight,  // [R][S][O][I]
    depthwise_weight,       // [1][R][S][C]
    vector,                 // [C], accumulator type
    labels,                 // u8 [N][H][W][1]
    counts,                 // i64, any shape
};

struct Operand {
    std::string name;
    OperandKind kind = OperandKind::activation;
    bool required = true;
    bool differentiable = true;
};

struct AttributeDefault {
    std::string name, value;  // as it is written: "padding", "0"
};

// The operands and attributes of one call from outside.
class OpArguments {
 public:
    std::map<std::string, Tensor> tensors;
    std::map<std::string, std::string> attributes;  // every one of the op's

    Tensor tensor(const std::string& name) const;  // undefined where an optional one is absent
    // UsageError naming the attribute where the text is no such value.
    int64_t integer(const std::string& name) const;
    int64_t integer(const std::string& name, int64_t least) const;  // least to 65536
    double number(const std::string& name) const;
    bool flag(const std::string& name) const;                                                // true, false, 1, 0
    size_t choice(const std::string& name, std::initializer_list<const char*> words) const;  // which of them
};

using OpResults = std::vector<std::pair<Operand, Tensor>>;
OpResults result(const Tensor& y, OperandKind kind = OperandKind::activation);  // y alone

struct OpDescriptor {
    std::string name = {};
    std::vector<Operand> inputs = {};
    std::vector<AttributeDefault> attributes = {};
    // Named results; the first is what gradients start from, where the op has any.
    std::function<OpResults(const OpArguments&)> call = {};

    // The other fields are of a record on a tape. `reach` is that of the output on every input that is a map; axis 0 is
    // the height and 1 the width. It is absent in an op whose output is no map.
    std::function<Reach(const Entry&, int axis)> reach = {};
    // An output's sum of k products counts k, padding included, biases not.
    std::function<int64_t(const Entry&)> multiply_adds = [](const Entry&) { return 0; };
    std::function<std::string(const Entry&)> fused = [](const Entry&) { return ""; };  // "+relu", behind the name
    std::function<bool(const Entry&)> copies_nothing = [](const Entry&) { return false; };
    // Writes the op's nodes and returns the name of its output (engine/ops/onnx_graph.h). Absent: nets with it cannot be
    // exported.
    std::function<std::string(const Entry&, OnnxGraph&)> onnx = {};
};

// A reach of ops that take pixels one by one.
inline Reach same_position(const Entry&, int /*axis*/) { return Reach::same(); }

// An attribute of a record, or `otherwise` where it has none of that name.
template <class T>
T attribute(const Entry& entry, std::string_view name, T otherwise) {
    for (const auto& [key, value] : entry.attributes)
        if (key == name) return std::get<T>(value);
    return otherwise;
}

// ---- the catalogue of ops

struct ByName {
    using is_transparent = void;
    bool operator()(const OpDescriptor& a, const OpDescriptor& b) const { return a.name < b.name; }
    bool operator()(const OpDescriptor& a, const std::string& b) const { return a.name < b; }
    bool operator()(const std::string& a, const OpDescriptor& b) const { return a < b.name; }
};

const std::set<OpDescriptor, ByName>& op_catalogue();
const OpDescriptor& descriptor_of(const Entry& entry);  // Error where the op has none
bool is_map(const Entry& entry);                        // [N][H][W][C] from [N][H][W][C]
Reach reach_of(const Entry& entry, int axis);  // of a map, between its sizes; Error where the op says nothing of it

// Adds an op, from within this tree or from outside it, before ops run. Error where the name is taken or nothing to
// call is given.
void add_op(OpDescriptor op);

// Adds ops at start-up. An op's header has one, and catalogue.cpp includes the header.
struct AddedOps {
    explicit AddedOps(std::initializer_list<OpDescriptor (*)()> describe) {
        for (const auto one : describe) add_op(one());
    }
};

}  // namespace atrous
