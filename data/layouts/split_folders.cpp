// A pair of folders in train/ and in val/.
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

static std::optional<Dataset> find_split_folders(const std::string& given) {
    const std::filesystem::path root = given;
    return dataset_of_parts(root, [&](const std::string& part) { return find_pair(root / part); });
}

Layout split_folders() { return {"split folders", "{train,val}/{images,masks}/", find_split_folders}; }

}  // namespace atrous::data::layout
