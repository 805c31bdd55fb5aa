// The samples that a checkpoint is scored on.
#pragma once

#include <optional>
#include <vector>

#include "data/dataset.h"
#include "segmentation/messages.h"
#include "segmentation/split_record.h"

namespace atrous {

// Takes the settings of a DatasetOptions that are not given from the split of the checkpoint's training; a list, a
// pattern or a fraction that is given replaces all three.
void default_split_from(const std::optional<SplitRecord>& recorded, Settings& settings);

// find_dataset, whose error says where a split that fails is that of the checkpoint's training. A split by class goes by
// the classes that this training's rule gives the masks, whatever the rule they are scored by; it is not drawn for a
// `split` that does not depend on it, test or all. `bands_are_optional`: where images are no files of `bands`, each may be a
// file.
data::Dataset find_to_score(const data::DatasetOptions& options, const std::string& split,
                            const std::optional<SplitRecord>& recorded, const std::string& trained_rule,
                            data::CheckOptions looking, bool bands_are_optional = false);

// Warns where the images' channels may not be the bands that the net was trained on; none: it was trained on whole files.
// DataError where they cannot be, for gray images.
void compare_bands(const std::vector<std::string>& trained, const data::Dataset& set, const data::DatasetReport& report,
                   Messages& messages);

// Returns the samples of a split: val, train or all. Throws DataError where it is empty; `root` is for the message.
std::vector<data::Sample> samples_of_split(const data::Dataset& set, const std::string& split, const std::string& root);

// Warns where the scores are worth little because the net was trained on the samples. `held_out`: the samples are those
// that the split holds out.
void say_what_was_trained_on(const std::optional<SplitRecord>& recorded, const data::Dataset& set,
                             const std::vector<data::Sample>& samples, bool held_out, Messages& messages);

}  // namespace atrous
