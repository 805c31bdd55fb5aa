// ADE20K: images/{training,validation} beside annotations/{training,validation}, objectInfo150.txt.
#include "base/paths.h"
#include "data/class_names.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

static std::optional<Dataset> find_ade20k(const std::string& given) {
    fs::path root = given;
    if (is_folder((root / "ADEChallengeData2016").string())) root /= "ADEChallengeData2016";
    const FolderPair pair{root / "images" / "training", root / "annotations" / "training"};
    const std::string info = (root / "objectInfo150.txt").string();
    if (!is_folder(pair.images.string()) || !is_folder(pair.masks.string())) return {};
    if (!is_file(info) && !is_file((root / "sceneCategories.txt").string())) return {};
    auto dataset = dataset_of_parts(root, [&](const std::string& part) -> std::optional<FolderPair> {
        const FolderPair of_part{root / "images" / part, root / "annotations" / part};
        if (!is_folder(of_part.images.string()) || !is_folder(of_part.masks.string())) return {};
        return of_part;
    });
    if (!dataset) return {};
    dataset->mask_values = "ids-from-1";
    if (is_file(info)) dataset->class_names = read_class_names(info).names;
    dataset->layout = "ADE20K, " + dataset->layout;
    dataset->notes.push_back(
        "masks: ids from 1 become classes from 0, and 0 is ignored, as ADE20K's benchmark; `mask-values` ids trains 0 "
        "as a "
        "class of its own");
    return dataset;
}

Layout ade20k() {
    return {"ADE20K", "images/training/, annotations/training/ and objectInfo150.txt of ADE20K", find_ade20k, true};
}

}  // namespace atrous::data::layout
