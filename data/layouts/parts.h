// The parts of a data set by the names of its folders, and files that are no images.
#pragma once

#include <string>
#include <vector>

namespace atrous::data {

// Files with this extension in a folder and those in it, sorted; hidden ones are passed over.
std::vector<std::string> files_with_extension(const std::string& folder, const std::string& extension);

// "train", "val" or "test" by the first folder of a path below the root; anything else trains.
std::string part_of(const std::string& relative);

}  // namespace atrous::data
