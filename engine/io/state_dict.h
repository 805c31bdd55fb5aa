// Converts between a net's tensors and files, which hold PyTorch's names, layouts (OIHW, IOHW) and element types.
#pragma once

#include <string>
#include <vector>

#include "engine/io/elements.h"
#include "engine/io/safetensors.h"
#include "engine/nn/module.h"

namespace atrous::io {

// Shape in the file of a tensor of ours.
std::vector<int64_t> file_shape(const Shape& shape, FileLayout layout);

// Values of a dense tensor in the file's order of elements, and back. Same element type.
std::vector<std::byte> to_file_layout(const Tensor& tensor, FileLayout layout);
void from_file_layout(Tensor& tensor, FileLayout layout, const std::vector<std::byte>& bytes);

// A slot is one of a net's tensors, with its name and layout in files.
struct Slot {
    std::string name;
    Tensor* tensor;
    FileLayout layout;
    bool parameter;  // false: a buffer

    std::vector<int64_t> shape() const { return file_shape(tensor->shape(), layout); }
};
std::vector<Slot> slots_of(Module& net);  // parameters, then buffers

// Reads a tensor of the slot's shape into it; element types are converted (see converts()).
void fill(const Slot& slot, const TensorFile& file, const TensorInfo& info);

// Every parameter and buffer under its path.
std::vector<TensorToWrite> state_dict(Module& net);

// Fills parameters and buffers from the file, whose tensors must be exactly the net's (those whose name begins with
// `ignored_prefix` aside). FormatError naming what is missing, left over, or of another shape. Element types are
// converted. Nothing is changed unless everything fits. FormatError also where the file is written to meanwhile; the
// net is then partly filled.
void load_state_dict(Module& net, const TensorFile& file, const std::string& ignored_prefix);

// Checks as load_state_dict does and fills nothing; the net may be on device meta.
void check_state_dict(Module& net, const TensorFile& file, const std::string& ignored_prefix);

}  // namespace atrous::io
