// One op on the tensors of a file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "engine/ops/descriptor.h"

namespace atrous::app {

// Its results under their names; with `gradients` also gradient.NAME of every input that has one, from the file's
// gradient.y or from ones. UsageError, FormatError, ShapeError.
std::vector<io::TensorToWrite> call_op(const OpDescriptor& op, const io::TensorFile& file,
                                       std::map<std::string, std::string> attributes, DType compute, Device device,
                                       bool gradients);

}  // namespace atrous::app
