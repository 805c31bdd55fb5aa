// The Data Science Bowl 2018 as it was published: a folder for each image, with a mask for each nucleus.
#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

// ID/images/ID.png and ID/masks/*.png; nothing where the folder does not look so.
static std::optional<Sample> sample_of(const fs::path& folder, const fs::path& root) {
    if (!is_folder((folder / "images").string()) || !is_folder((folder / "masks").string())) return {};
    const auto images = images_in((folder / "images").string()).images;
    if (images.size() != 1) return {};
    std::vector<MaskFile> masks;
    for (const std::string& mask : images_in((folder / "masks").string()).images) masks.push_back({mask});
    if (masks.empty())
        throw DataError(fmt::format("{}: no masks of objects; remove the folder {} or draw them",
                                    (folder / "masks").string(), folder.filename().string()));
    return Sample{images[0], (folder / "masks").string(), sample_name(images[0], root), joined_files(std::move(masks))};
}

static std::optional<Dataset> find_dsb2018(const std::string& given) {
    const fs::path root = given, inner = root / "stage1_train";
    const fs::path folder = is_folder(inner.string()) ? inner : root;
    Dataset dataset;
    for (const std::string& name : names_in(folder.string())) {
        if (name == "train" || name == "val" || name == "valid" || name == "test") return {};  // split folders
        if (!is_folder((folder / name).string())) continue;
        auto sample = sample_of(folder / name, root);
        if (!sample) return {};
        dataset.train.push_back(std::move(*sample));
    }
    if (dataset.train.empty()) return {};
    dataset.mask_values = "ids";
    dataset.layout = "DSB2018, a folder for each image with a mask for each object";
    dataset.notes.push_back("masks: the objects of an image are joined into class 1");
    return dataset;
}

Layout dsb2018() {
    return {"DSB2018", "ID/images/ID.png and ID/masks/*.png, a mask an object (DSB2018)", find_dsb2018, true};
}

}  // namespace atrous::data::layout
