// The names and colours of a model card's classes: the data set's, or those that a user gives.
#pragma once

#include "data/dataset.h"
#include "segmentation/messages.h"
#include "segmentation/model_card.h"

namespace atrous {

// As the set calls and colours so many classes, where it does; else "background" and "foreground", or "class 3".
void name_classes(ModelCard& card, const data::Dataset& set, int classes);

// The user's, instead of the card's; colours may be left out. UsageError where they are not as many as the classes.
void rename_classes(ModelCard& card, const std::vector<std::string>& names, const data::Palette& colours);

// Warns where the set gives an id another name than the card: the ids may mean other things.
void compare_class_names(const ModelCard& card, const data::Dataset& set, Messages& messages);

}  // namespace atrous
