// Presets of augmentation: a word that stands for values of all augmentations. What is trained with, kept and compared are
// those values; the word itself is forgotten.
#pragma once

#include <string>

#include "base/settings.h"
#include "data/augmentation.h"

namespace atrous {

inline constexpr const char* augment_key = "augment";         // of the setting, and of a table in configuration files
inline constexpr const char* augment_group = "Augmentation";  // of the settings that may stand in that table

// Declares `augment`: none, light, standard or strong.
Setting<std::string>& describe_augment_preset(Settings& settings, std::string& preset);
data::Augmentations augmentations_of_preset(const std::string& preset);  // UsageError for an unknown one

// Gives all augmentations the values of the preset that `augment` names, where it is given; none is a preset too, of the
// defaults. A preset has the rank of the place that names it, behind the single settings of that place: from the command
// line it goes before files and recipes, from a file before recipes. UsageError for an unknown one.
void apply_augment_preset(Settings& settings);

}  // namespace atrous
