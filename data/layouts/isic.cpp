// ISIC: ISIC-2017_Training_Data beside ISIC-2017_Training_Part1_GroundTruth, validation and test likewise.
#include <fnmatch.h>

#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> folders_like(const fs::path& root, const std::string& pattern) {
    std::vector<std::string> found;
    for (const std::string& name : names_in(root.string()))
        if (fnmatch(pattern.c_str(), name.c_str(), 0) == 0 && is_folder((root / name).string())) found.push_back(name);
    return found;
}

std::optional<FolderPair> pair_of(const fs::path& root, const std::string& part) {
    std::vector<std::string> images = folders_like(root, "ISIC*_" + part + "*_Data");
    if (images.empty()) images = folders_like(root, "ISIC*_" + part + "*Input");
    const std::vector<std::string> masks = folders_like(root, "ISIC*_" + part + "*GroundTruth");
    if (images.empty() || masks.empty()) return {};
    if (images.size() > 1 || masks.size() > 1)
        throw DataError(fmt::format("{}: several folders of ISIC lie here: {}; choose with `images` {} `masks` {}",
                                    root.string(), few_of(images.size() > 1 ? images : masks), images[0], masks[0]));
    return FolderPair{root / images[0], root / masks[0]};
}

}  // namespace

static std::optional<Dataset> find_isic(const std::string& given) {
    const fs::path root = given;
    const auto train = pair_of(root, "Training");
    if (!train) return {};
    Dataset dataset;
    dataset.train = samples_of_pair(*train, root, dataset);
    if (const auto val = pair_of(root, "Validation")) dataset.val = samples_of_pair(*val, root, dataset);
    if (const auto test = pair_of(root, "Test")) dataset.test = samples_of_pair(*test, root, dataset);
    dataset.class_names = {"background", "lesion"};
    dataset.layout = "ISIC, " + text_of(*train, root);
    return dataset;
}

Layout isic() { return {"ISIC", "ISIC*_Training_Data/ and ISIC*_Training*_GroundTruth/", find_isic, true}; }

}  // namespace atrous::data::layout
