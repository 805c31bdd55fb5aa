// The samples that a checkpoint is scored on.
#pragma once

#include <optional>
#include <vector>

#include "data/dataset.h"
#include "segmentation/messages.h"
#include "segmentation/split_record.h"

namespace atrous {

// The split of the checkpoint's training, for the settings of a DatasetOptions that are not given; a list, a pattern or a
// fraction that is given replaces all three.
void default_split_from(const std::optional<SplitRecord>& recorded, Settings& settings);

// find_dataset, whose error says where a split that fails is that of the checkpoint's training.
data::Dataset find_as_trained(const data::DatasetOptions& options, const std::optional<SplitRecord>& recorded);

// Of a split: val, train or all. DataError where it is empty; `root` is for the message.
std::vector<data::Sample> samples_of_split(const data::Dataset& set, const std::string& split, const std::string& root);

// What the scores are worth: on samples that the net was trained on, little. `held_out`: those are asked for that the
// split holds out.
void say_what_was_trained_on(const std::optional<SplitRecord>& recorded, const data::Dataset& set,
                             const std::vector<data::Sample>& samples, bool held_out, Messages& messages);

}  // namespace atrous
