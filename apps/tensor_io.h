// Tensors of files on devices and back, in PyTorch's order: activations [N][C][H][W], labels [N][H][W].
#pragma once

#include <string>
#include <vector>

#include "base/settings.h"
#include "engine/io/safetensors.h"
#include "engine/nn/module.h"
#include "engine/ops/descriptor.h"

namespace atrous::app {

// The element type that an operand has where activations have type `compute`.
DType type_of(OperandKind kind, DType compute);

// Element types are converted. FormatError names the file, the tensor and what was expected of it.
Tensor read_operand(const io::TensorFile& file, const Operand& operand, DType compute, Device device);

// Values are copied when the file is written.
io::TensorToWrite tensor_to_write(const std::string& name, FileLayout layout, const Tensor& tensor);
io::TensorToWrite operand_to_write(const std::string& name, OperandKind kind, const Tensor& tensor);

DType parse_dtype(const std::string& name);  // f32, f64, bf16; UsageError

// Settings of the verbs that exchange tensors with another framework.
void describe_tensor_files(Settings& settings, std::string& input, std::string& output);
Setting<bool>& describe_gradients(Settings& settings, bool& gradients);
void describe_dtype(Settings& settings, std::string& dtype);

}  // namespace atrous::app
