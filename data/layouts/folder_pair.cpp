#include "data/layouts/folder_pair.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"

namespace atrous::data {

namespace fs = std::filesystem;

constexpr const char* mask_folders[] = {"masks",      "mask",    "labels", "label",    "annotations",
                                        "annotation", "ann_dir", "gt",     "labelsTr", "SegmentationClass"};
constexpr const char* val_folders[] = {"val", "valid", "validation"};
constexpr const char* mask_suffixes[] = {"",    "_mask", "_masks",      "_label", "_labels",
                                         "_gt", "_seg",  "_annotation", "_L"};

std::optional<FolderPair> find_pair(const fs::path& root) {
    for (const char* images : image_folders)
        for (const char* masks : mask_folders)
            if (is_folder(root / images) && is_folder(root / masks)) return FolderPair{root / images, root / masks};
    return {};
}

// Stem to file; two files of one stem would make the pairing a matter of luck.
FilesByStem by_stem(const fs::path& folder, std::vector<std::string>& skipped) {
    FilesByStem files;
    ImageList list = images_in(folder);
    for (const fs::path file : list.images) {
        const auto [at, fresh] = files.emplace(file.stem().string(), file);
        if (!fresh)
            throw DataError(fmt::format("{} and {} differ only in their extension; keep one of them",
                                        at->second.string(), file.filename().string()));
    }
    skipped.insert(skipped.end(), list.skipped.begin(), list.skipped.end());
    return files;
}

std::string sample_name(const fs::path& image, const fs::path& root) {
    return image.lexically_relative(root).lexically_normal().replace_extension().generic_string();
}

FilesByStem::const_iterator find_mask(const FilesByStem& masks, const std::string& stem) {
    for (const char* suffix : mask_suffixes)
        if (const auto found = masks.find(stem + suffix); found != masks.end()) return found;
    return masks.end();
}

std::vector<Sample> samples_of_pair(const FolderPair& pair, const fs::path& root, std::vector<std::string>& warnings) {
    std::vector<std::string> alone, skipped;
    auto masks = by_stem(pair.masks, skipped);
    std::vector<Sample> samples;
    for (const auto& [stem, image] : by_stem(pair.images, skipped)) {
        if (const auto mask = find_mask(masks, stem); mask != masks.end()) {
            samples.push_back({image.string(), mask->second.string(), sample_name(image, root)});
            masks.erase(mask);
        } else {
            alone.push_back(image.filename().string());
        }
    }
    const std::string left_out = skipped.empty() ? "" : "; left out: " + few_of(skipped);
    if (samples.empty() && alone.empty())
        throw DataError(
            fmt::format("{}: no images in this folder; put JPEG or PNG files there{}", pair.images.string(), left_out));
    if (!alone.empty())
        throw DataError(
            fmt::format("{}: {} of {} images have no mask in {}: {}; a mask has its image's name, also with "
                        "_mask or _label appended{}",
                        pair.images.string(), alone.size(), alone.size() + samples.size(), pair.masks.string(),
                        few_of(alone), left_out));
    if (!skipped.empty())
        warnings.push_back(
            fmt::format("{} files cannot be looked at and are left out: {}", skipped.size(), few_of(skipped)));
    if (!masks.empty())
        warnings.push_back(fmt::format("{}: {} masks have no image, the first is {}", pair.masks.string(), masks.size(),
                                       masks.begin()->second.filename().string()));
    return samples;
}

std::optional<Dataset> dataset_of_parts(const fs::path& root, const PairOfPart& pair_of) {
    const std::optional<FolderPair> train = pair_of("train");
    if (!train) return {};
    Dataset dataset;
    dataset.train = samples_of_pair(*train, root, dataset.warnings);
    dataset.layout = text_of(*train, root);
    for (const char* name : val_folders)
        if (const std::optional<FolderPair> val = pair_of(name); val && dataset.val.empty()) {
            dataset.val = samples_of_pair(*val, root, dataset.warnings);
            dataset.layout += ", " + text_of(*val, root);
        }
    return dataset;
}

std::string text_of(const FolderPair& pair, const fs::path& root) {
    return fmt::format("{} + {}", pair.images.lexically_relative(root).string(),
                       pair.masks.lexically_relative(root).string());
}

}  // namespace atrous::data
