// The samples of a list file (data/list.h), of which some layouts are made.
#pragma once

#include <string>
#include <vector>

#include "data/layouts/folder_pair.h"

namespace atrous::data {

// Bare stems are looked up in `pair`. Paths are relative to `root`, else to the list's folder; those of another root are
// taken from the longest tail that exists below `root`, and that is a note of the dataset. Backslashes are slashes where
// that is a file. Runs of one image are joined; a column of classes gives them their ids. DataError where a file is
// missing, or where neither `rle_order` nor the heading says how runs are counted.
std::vector<Sample> samples_of_list(const std::string& list, const std::filesystem::path& root,
                                    const std::optional<FolderPair>& pair, Dataset& dataset,
                                    const std::string& rle_order = "auto");
// Uses the folders of `images` and `masks`, else root's pair of folders.
std::vector<Sample> samples_of_list(const std::string& list, const DatasetOptions& options, Dataset& dataset);

}  // namespace atrous::data
