// That a file's weights are a moving average, in the metadata of what a training writes: best.safetensors may be from
// before the average began, or from before it ended.
#pragma once

#include <optional>

#include "engine/io/checkpoint.h"

namespace atrous {

void add_averaged(io::Metadata& metadata, double decay);
// The decay; nothing for weights that are no average. FormatError where it is no number.
std::optional<double> averaged_record_of(const io::TensorFile& file);

}  // namespace atrous
