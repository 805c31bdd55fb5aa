// That a file's weights are an average, in the metadata of what a training writes: best.safetensors may be from before the
// average began, or from before it ended.
#pragma once

#include <optional>
#include <string>

#include "engine/io/checkpoint.h"

namespace atrous {

struct AveragedRecord {
    double decay = 0;               // of a moving average
    int64_t epochs = 0;             // whose mean the weights are; 0: of a moving average
    bool lacks_statistics = false;  // of a mean: batch norm's are of other weights (WeightAverage)
    bool operator==(const AveragedRecord&) const = default;
};
std::string text_of(const AveragedRecord& record);     // "averaged weights, the mean of 3 epochs"
std::string warning_of(const AveragedRecord& record);  // what is wrong with them; empty: nothing

void add_averaged(io::Metadata& metadata, const WeightAverage* average);  // null: none
// Nothing for weights that are no average. FormatError where it cannot be read.
std::optional<AveragedRecord> averaged_record_of(const io::TensorFile& file);

}  // namespace atrous
