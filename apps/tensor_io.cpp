#include "apps/tensor_io.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/io/operand_layout.h"
#include "engine/io/state_dict.h"

namespace atrous::app {
namespace {

const char* dimensions(OperandKind kind) {
    switch (kind) {
        case OperandKind::activation:
            return "[N][C][H][W]";
        case OperandKind::conv_weight:
            return "[out][in][height][width]";
        case OperandKind::conv_transpose_weight:
            return "[in][out][height][width]";
        case OperandKind::depthwise_weight:
            return "[C][1][height][width]";
        case OperandKind::labels:
            return "[N][H][W]";
        case OperandKind::vector:
        case OperandKind::counts:
            return "[C]";
    }
    return "";
}

// Our shape of a file's tensor; one without dimensions where it cannot be the operand.
Shape shape_of(OperandKind kind, const std::vector<int64_t>& s) {
    for (const int64_t d : s)
        if (d < 1) return {};
    switch (kind) {
        case OperandKind::activation:
        case OperandKind::conv_weight:
            return s.size() == 4 ? Shape{s[0], s[2], s[3], s[1]} : Shape{};
        case OperandKind::conv_transpose_weight:
            return s.size() == 4 ? Shape{s[2], s[3], s[1], s[0]} : Shape{};
        case OperandKind::depthwise_weight:
            return s.size() == 4 && s[1] == 1 ? Shape{1, s[2], s[3], s[0]} : Shape{};
        case OperandKind::labels:
            return s.size() == 3 ? Shape{s[0], s[1], s[2], 1} : Shape{};
        case OperandKind::vector:
        case OperandKind::counts:
            return s.size() == 1 ? Shape{s[0]} : Shape{};
    }
    return {};
}

std::vector<std::byte> labels_of(const io::TensorFile& file, const io::TensorInfo& info) {
    if (info.dtype == DType::u8) return file.bytes(info);
    std::vector<std::byte> ids;
    for (const double v : io::as_doubles(file.bytes(info), info.dtype)) {
        if (v < 0 || v > 255)
            throw FormatError(
                fmt::format("{}: labels {} hold {}; expected 0 to 255", file.path(), io::in_quotes(info.name), v));
        ids.push_back(std::byte(uint8_t(v)));
    }
    return ids;
}

}  // namespace

DType type_of(OperandKind kind, DType compute) {
    switch (kind) {
        case OperandKind::vector:
            return accumulator_of(compute);
        case OperandKind::labels:
            return DType::u8;
        case OperandKind::counts:
            return DType::i64;
        default:
            return compute;
    }
}

Tensor read_operand(const io::TensorFile& file, const Operand& operand, DType compute, Device device) {
    const io::TensorInfo& info = file.at(operand.name);
    const DType type = type_of(operand.kind, compute);
    const Shape shape = shape_of(operand.kind, info.shape);
    const bool labels = operand.kind == OperandKind::labels && !is_real(info.dtype);
    if (shape.rank() == 0 || (!labels && !io::converts(info.dtype, type)))
        throw FormatError(fmt::format("{}: tensor {} is {} {}, expected {} {}", file.path(), io::in_quotes(info.name),
                                      name_of(info.dtype), io::shape_text(info.shape), name_of(type),
                                      dimensions(operand.kind)));
    Tensor tensor = Tensor::empty(shape, type, device);
    io::from_file_layout(tensor, layout_of(operand.kind),
                         labels ? labels_of(file, info) : io::converted(file.bytes(info), info.dtype, type));
    return tensor;
}

io::TensorToWrite tensor_to_write(const std::string& name, FileLayout layout, const Tensor& tensor) {
    const Tensor dense = tensor.dense();
    return {name, dense.dtype(), io::file_shape(dense.shape(), layout), [dense, layout](io::Sink& sink) {
                const auto bytes = io::to_file_layout(dense, layout);
                sink.write(bytes.data(), bytes.size());
            }};
}

io::TensorToWrite operand_to_write(const std::string& name, OperandKind kind, const Tensor& tensor) {
    return tensor_to_write(name, layout_of(kind), tensor);
}

DType parse_dtype(const std::string& name) {
    for (const DType t : {DType::f32, DType::f64, DType::bf16})
        if (name == name_of(t)) return t;
    throw UsageError("--dtype '" + name + "' is unknown; expected f32, f64 or bf16");
}

void describe_tensor_files(Settings& s, std::string& input, std::string& output) {
    s.bind("input", input, "file with the tensors that go in, under their names");
    s.bind("output", output, "safetensors file to write: y, and gradient.NAME of what went in").letter('o');
}

Setting<bool>& describe_gradients(Settings& s, bool& gradients) {
    return s.bind("gradients", gradients,
                  "also run backward, from the input file's gradient.y, or ones where it has none");
}

void describe_dtype(Settings& s, std::string& dtype) {
    s.bind("dtype", dtype, "element type to compute in").one_of({"f32", "f64", "bf16"});
}

}  // namespace atrous::app
