// The samples of a list file (data/list.h), of which some layouts are made.
#pragma once

#include <string>
#include <vector>

#include "data/layouts/folder_pair.h"

namespace atrous::data {

// Its paths are relative to `root`; bare stems are looked up in `pair`. DataError where a file is missing.
std::vector<Sample> samples_of_list(const std::string& list, const std::filesystem::path& root,
                                    const std::optional<FolderPair>& pair);
// Uses root's pair of folders.
std::vector<Sample> samples_of_list(const std::string& list, const std::string& root);

}  // namespace atrous::data
