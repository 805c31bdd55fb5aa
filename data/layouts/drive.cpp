// DRIVE: training/images/ beside 1st_manual/ (vessels) and mask/ (the field of view).
#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

static std::optional<Dataset> find_drive(const std::string& given) {
    const fs::path root = given;
    const fs::path folder = is_folder((root / "training" / "1st_manual").string()) ? root / "training" : root;
    const FolderPair pair{folder / "images", folder / "1st_manual"};
    if (!is_folder(pair.images.string()) || !is_folder(pair.masks.string())) return {};
    for (const char* other : {"mask", "2nd_manual"})
        if (is_folder((folder / other).string())) {
            const std::string below = folder == root ? "" : "training/";
            throw DataError(
                fmt::format("{}: DRIVE has several folders of masks: {}1st_manual (the vessels) and {}{} ({}); choose "
                            "with `images` "
                            "{}images `masks` {}1st_manual",
                            root.string(), below, below, other,
                            other == std::string("mask") ? "the field of view" : "another observer", below, below));
        }
    Dataset dataset;
    dataset.train = samples_of_pair(pair, root, dataset);
    dataset.layout = "DRIVE, " + text_of(pair, root);
    return dataset;
}

Layout drive() { return {"DRIVE", "training/images/ and training/1st_manual/ of DRIVE", find_drive, true}; }

}  // namespace atrous::data::layout
