// Kernels that a training chose by timing, in the metadata of what it writes: whoever computes with one of its files takes
// the same kernels.
#pragma once

#include <optional>
#include <string>

#include "engine/io/checkpoint.h"
#include "kernels/tuned_kernels.h"

namespace atrous {

struct TunedRecord {
    std::string machine;  // on which they were timed (engine/tuning_file.h)
    kernels::TunedKernels kernels;
};

void add_to(io::Metadata& metadata, const TunedRecord& record);
// Throws FormatError where it cannot be read; returns nothing for a file of untuned kernels.
std::optional<TunedRecord> tuned_record_of(const io::TensorFile& file);

}  // namespace atrous
