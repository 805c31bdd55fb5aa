#include "engine/ops/onnx_graph.h"

#include <fmt/core.h>

#include <algorithm>

namespace atrous {

OnnxType onnx_type(DType type) {
    switch (type) {
        case DType::f32:
            return OnnxType::f32;
        case DType::f16:
            return OnnxType::f16;
        case DType::bf16:
            return OnnxType::bf16;
        case DType::f64:
            return OnnxType::f64;
        case DType::u8:
            return OnnxType::u8;
        case DType::i64:
            return OnnxType::i64;
        case DType::i32:
            break;
    }
    throw Error("ONNX: no net computes with i32");
}

OnnxGraph::OnnxGraph(std::unordered_map<int64_t, OnnxSides> sides, int64_t multiple, DType real)
    : sides_(std::move(sides)), multiple_(multiple), real_(real) {}

OnnxType OnnxGraph::type(DType type) const { return onnx_type(type == DType::f32 ? real_ : type); }

std::string OnnxGraph::unused(const std::string& name) {
    std::string free = name;
    for (int n = 2; !taken_.insert(free).second; ++n) free = fmt::format("{}_{}", name, n);
    return free;
}

std::string OnnxGraph::node(const std::string& op, std::vector<std::string> inputs,
                            std::vector<OnnxAttribute> attributes) {
    const std::string name = unused(module_.empty() ? op : module_ + "/" + op);
    nodes_.push_back({op, name, std::move(inputs), name, std::move(attributes)});
    return name;
}

std::string OnnxGraph::constant(OnnxTensor tensor) {
    std::string key = fmt::format("constant {}", int(tensor.type));
    for (const int64_t side : tensor.shape) key += fmt::format(" {}", side);
    std::string& name = reused_[key + ":" + tensor.bytes];
    if (name.empty()) name = node("Constant", {}, {{"value", std::move(tensor)}});
    return name;
}

template <class T>
static std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string OnnxGraph::constant(const std::vector<int64_t>& values) {
    return constant({OnnxType::i64, {int64_t(values.size())}, bytes_of(values)});
}

std::string OnnxGraph::constant(const std::vector<float>& values, std::vector<int64_t> shape) {
    return constant({OnnxType::f32, std::move(shape), bytes_of(values)});
}

const std::string& OnnxGraph::name(const Value& map) const {
    const auto at = names_.find(map.id);
    if (at == names_.end())
        throw Error(fmt::format("layer '{}' reads a tensor {} that no op of the net made; it cannot be exported",
                                module_, map.shape.text()));
    return at->second;
}

std::string OnnxGraph::parameter(const Value& value, OperandKind kind) {
    const auto at = parameter_names_.find(value.id);
    if (at == parameter_names_.end())
        throw Error(
            fmt::format("layer '{}' reads a tensor {} that is neither a parameter nor a buffer of the net; it "
                        "cannot be exported",
                        module_, value.shape.text()));
    for (const auto& [name, known] : parameters_)
        if (name == at->second) {
            if (known != kind)
                throw Error(fmt::format("tensor '{}' is read in two layouts; it cannot be exported", name));
            return name;
        }
    parameters_.emplace_back(at->second, kind);
    return at->second;
}

void OnnxGraph::add_parameter(const Value& value, const std::string& name) {
    parameter_names_[value.id] = name;
    taken_.insert(name);
}

std::string OnnxGraph::add_input(const std::string& name, OnnxType type, std::vector<OnnxDimension> shape) {
    inputs_.push_back({unused(name), type, std::move(shape)});
    return inputs_.back().name;
}

void OnnxGraph::set_name(const Value& value, const std::string& name) {
    if (!names_.emplace(value.id, name).second)
        throw Error(
            fmt::format("layer '{}' writes a tensor {} over another that the net has made; it cannot be exported",
                        module_, value.shape.text()));
    if (sides_.count(value.id)) made_.push_back(value.id);
}

void OnnxGraph::add_output(const std::string& value, const std::string& name, OnnxType type,
                           std::vector<OnnxDimension> shape) {
    const bool is_nodes =
        std::any_of(nodes_.begin(), nodes_.end(), [&](const OnnxNode& n) { return n.output == value; });
    const std::string output = unused(name), source = is_nodes ? value : node("Identity", {value});
    for (OnnxNode& n : nodes_) {
        std::replace(n.inputs.begin(), n.inputs.end(), source, output);
        if (n.output == source) n.output = output;
    }
    for (auto& [id, known] : names_)
        if (known == source) known = output;
    outputs_.push_back({output, type, std::move(shape)});
}

// ---- sizes

const OnnxSides& OnnxGraph::sides(const Value& map) const {
    const auto at = sides_.find(map.id);
    if (at == sides_.end()) throw Error(fmt::format("layer '{}': a map {} of no trace", module_, map.shape.text()));
    return at->second;
}

std::optional<int64_t> OnnxGraph::factor(const Value& from, const Value& to, int axis) const {
    const OnnxSides &a = sides(from), &b = sides(to);
    const auto side = size_t(axis);
    const int64_t factor = b[0][side] / a[0][side];
    for (size_t i = 0; i < a.size(); ++i)
        if (factor < 1 || b[i][side] != factor * a[i][side]) return {};
    return factor;
}

std::string OnnxGraph::shape_of(const std::string& name) {
    std::string& known = reused_["shape " + name];
    if (known.empty()) known = node("Shape", {name});
    return known;
}

std::string OnnxGraph::part_of_shape(const std::string& name, std::vector<int64_t> axes) {
    std::string key = "part of shape " + name;
    for (const int64_t axis : axes) key += fmt::format(" {}", axis);
    if (const auto at = reused_.find(key); at != reused_.end()) return at->second;
    const std::string shape = shape_of(name), indices = constant(axes);
    return reused_[key] = node("Gather", {shape, indices}, {{"axis", int64_t(0)}});
}

std::string OnnxGraph::batch_and_channels(const Value& map) { return part_of_shape(name(map), {0, 1}); }

std::string OnnxGraph::length(const Value& map, int axis) {
    const OnnxSides& wanted = sides(map);
    const auto side = size_t(axis);
    const auto agrees = [&](const OnnxSides& known, const auto& as) {
        for (size_t i = 0; i < wanted.size(); ++i)
            if (as(known[i][side]) != wanted[i][side]) return false;
        return true;
    };
    const auto same = [](int64_t n) { return n; };
    const auto rounded_up = [&](int64_t n) { return (n + multiple_ - 1) / multiple_ * multiple_; };
    const int64_t first = wanted[0][side];
    if (std::all_of(wanted.begin(), wanted.end(), [&](const auto& s) { return s[side] == first; }))
        return constant(std::vector<int64_t>{first});
    for (const int64_t id : made_)
        if (agrees(sides_.at(id), same)) return part_of_shape(names_.at(id), {2 + axis});
    if (!made_.empty() && agrees(sides_.at(made_[0]), rounded_up)) return length_of_image_rounded_up(axis);
    throw OnnxSizeError(fmt::format("the {} {} of layer '{}' follows from the image's in no way that a graph can say",
                                    axis ? "width" : "height", first, module_));
}

std::string OnnxGraph::length_of_image_rounded_up(int axis) {
    const std::string key = fmt::format("rounded up {}", axis);
    if (const auto at = reused_.find(key); at != reused_.end()) return at->second;
    const std::string length = part_of_shape(names_.at(made_[0]), {2 + axis});
    const std::string more = node("Add", {length, constant(std::vector<int64_t>{multiple_ - 1})});
    const std::string multiple = constant(std::vector<int64_t>{multiple_});
    const std::string times = node("Div", {more, multiple});
    return reused_[key] = node("Mul", {times, multiple});
}

}  // namespace atrous
