// classes.toml: a set's classes as its owner describes them, in the order of their ids.
//
//   ignore = [255, "#000000"]     values of masks that are no class; may be left out
//   [[class]]
//   name = "road"
//   colour = "#804080"            in masks, sheets and results; of all classes, or of none
//   values = [7, 8]               that masks hold for it, numbers or colours; of all classes, or of none
//   [[class]]
//   …
#pragma once

#include "data/class_names.h"

namespace atrous::data {

// `color`, `value` and a single value without brackets are read as well. Throws DataError with file and line,
// NotClassNames where there is no [[class]].
ClassNames read_classes_toml(const std::string& path);

}  // namespace atrous::data
