// A layout: images and masks in one folder, told apart by how their names end.
#include <filesystem>

#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"
#include "tests/extending/extensions.h"

namespace atrous::extending {

namespace fs = std::filesystem;

static std::optional<data::Dataset> find_stem_suffixes(const std::string& root) {
    const fs::path folder = fs::path(root) / "together";
    if (!is_folder(folder)) return {};
    const std::string ending = "_image";
    std::vector<std::string> skipped;
    const data::FilesByStem files = data::by_stem(folder, skipped);
    data::Dataset dataset;
    for (const auto& [stem, image] : files) {
        if (!stem.ends_with(ending)) continue;
        const auto mask = files.find(stem.substr(0, stem.size() - ending.size()) + "_truth");
        if (mask != files.end())
            dataset.train.push_back({image.string(), mask->second.string(), data::sample_name(image, root)});
    }
    return dataset;
}

void add_stem_suffixes() {
    data::add_layout({"stem suffixes", "together/ with NAME_image and NAME_truth", find_stem_suffixes});
}

}  // namespace atrous::extending
