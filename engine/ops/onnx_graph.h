// An ONNX graph (onnx.ai) while the ops of a net write themselves into it, in the order in which they ran:
//
//     .onnx = [](const Entry& e, OnnxGraph& g) { return g.node("Relu", {g.name(e.inputs[0])}); }
//
// Maps are [N][C][H][W] there, and parameters have PyTorch's layouts. Where a graph is for images of any size, the net was
// traced at several, and what a size depends on is found by comparing them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "engine/ops/descriptor.h"

namespace atrous {

// The numbers are those of TensorProto.DataType.
enum class OnnxType { f32 = 1, u8 = 2, i64 = 7, f16 = 10, f64 = 11, bf16 = 16 };
OnnxType onnx_type(DType type);  // Error for i32, which no net computes with

struct OnnxTensor {
    OnnxType type = OnnxType::f32;
    std::vector<int64_t> shape;
    std::string bytes;  // dense, little-endian
};
using OnnxAttribute =
    std::pair<std::string, std::variant<int64_t, float, std::string, std::vector<int64_t>, OnnxTensor>>;

struct OnnxNode {
    std::string op, name;
    std::vector<std::string> inputs;  // "": an optional one that is absent
    std::string output;
    std::vector<OnnxAttribute> attributes;
};

// A number, or a name for one that a graph leaves open.
using OnnxDimension = std::variant<int64_t, std::string>;
struct OnnxPort {
    std::string name;
    OnnxType type = OnnxType::f32;
    std::vector<OnnxDimension> shape;
};

// Height and width of a map, at each of the sizes at which the net was traced.
using OnnxSides = std::vector<std::array<int64_t, 2>>;

// Thrown where a graph can be written for images of one size alone; the message says why.
struct OnnxSizeError : Error {
    using Error::Error;
};

class OnnxGraph {
 public:
    // `sides` of every map by its id; one size each: the graph is for that size. `multiple`: what images are padded to.
    // `real`: what f32 becomes, f32 or f16.
    OnnxGraph(std::unordered_map<int64_t, OnnxSides> sides, int64_t multiple, DType real);

    // ---- for ops

    // Adds a node of one output and returns the output's name.
    std::string node(const std::string& op, std::vector<std::string> inputs,
                     std::vector<OnnxAttribute> attributes = {});
    std::string constant(const std::vector<int64_t>& values);  // [values]
    std::string constant(const std::vector<float>& values, std::vector<int64_t> shape);
    const std::string& name(const Value& map) const;  // Error where no op made it
    // An initializer's name, which is the state dict's; Error where the value is none of the net's, or has another kind.
    std::string parameter(const Value& value, OperandKind kind);
    OnnxType type(DType type) const;

    // Axis 0 is the height and 1 the width. OnnxSizeError where they depend on the image's size in no way that is known here.
    const OnnxSides& sides(const Value& map) const;
    std::optional<int64_t> factor(const Value& from, const Value& to,
                                  int axis) const;     // to = factor * from at all sizes
    std::string length(const Value& map, int axis);    // i64 [1]; of a map that may not be there yet
    std::string batch_and_channels(const Value& map);  // i64 [2]; of one that is

    // ---- for who writes a net

    void add_parameter(const Value& value, const std::string& name);  // which may be asked for
    std::string add_input(const std::string& name, OnnxType type, std::vector<OnnxDimension> shape);
    void set_name(const Value& value, const std::string& name);   // Error where it has one
    void set_module(const std::string& path) { module_ = path; }  // before the names of nodes that are to come
    // Makes a value an output, under this name from now on.
    void add_output(const std::string& value, const std::string& name, OnnxType type, std::vector<OnnxDimension> shape);

    const std::vector<OnnxNode>& nodes() const { return nodes_; }
    const std::vector<OnnxPort>& inputs() const { return inputs_; }
    const std::vector<OnnxPort>& outputs() const { return outputs_; }
    // Those that nodes asked for, in that order.
    const std::vector<std::pair<std::string, OperandKind>>& parameters() const { return parameters_; }

 private:
    std::string unused(const std::string& name);
    std::string constant(OnnxTensor tensor);
    std::string shape_of(const std::string& name);
    std::string part_of_shape(const std::string& name, std::vector<int64_t> axes);
    std::string length_of_image_rounded_up(int axis);

    std::unordered_map<int64_t, OnnxSides> sides_;
    int64_t multiple_;
    DType real_;
    std::string module_;
    std::vector<OnnxNode> nodes_;
    std::vector<OnnxPort> inputs_, outputs_;
    std::vector<std::pair<std::string, OperandKind>> parameters_;
    std::unordered_map<int64_t, std::string> names_, parameter_names_;
    std::vector<int64_t> made_;  // maps of `sides_` that have names, in order; the image first
    std::unordered_set<std::string> taken_;
    std::unordered_map<std::string, std::string> reused_;  // constants, shapes and lengths, by what they are of
};

}  // namespace atrous
