// Data sets as they lie on disk: folders of pictures and masks, and lists of them.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

// The first layout that `root` has (data/dataset.h lists them). DataError where it has none.
void recognise_layout(const std::string& root, Dataset& dataset);

// The samples of a list file. Its paths are relative to `root`; bare stems are looked up in root's pair of folders.
std::vector<Sample> samples_of_list(const std::string& list, const std::string& root);

}  // namespace atrous::data
