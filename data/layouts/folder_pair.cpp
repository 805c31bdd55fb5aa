#include "data/layouts/folder_pair.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts/paired_samples.h"

namespace atrous::data {

namespace fs = std::filesystem;

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
    const std::string below = path_below(image.string(), root.string());
    const size_t name = below.rfind('/') + 1, dot = below.rfind('.');
    return dot == std::string::npos || dot <= name ? below : below.substr(0, dot);
}

FilesByStem::const_iterator find_mask(const FilesByStem& masks, const std::string& stem) {
    for (const std::string& suffix : mask_suffixes())
        if (const auto found = masks.find(stem + suffix); found != masks.end()) return found;
    return masks.end();
}

namespace {

// Images in folders within an images folder that has some itself are none of the set, but are said.
ImageList images_of(const fs::path& folder, std::string& other) {
    ImageList list = images_in(folder.string());
    const ImageList all = images_below(folder.string());
    if (list.images.empty() && list.unread.empty() && list.skipped.empty()) return all;
    if (all.images.size() > list.images.size())
        other = fmt::format("{}: {} images in folders within it are not taken; `images` '{}/**' and `masks` take them",
                            folder.string(), all.images.size() - list.images.size(), folder.filename().string());
    return list;
}

// Folders of masks beside the one that is taken, which could have been meant as well.
void say_other_masks(const FolderPair& pair, const fs::path& root, Dataset& dataset) {
    std::vector<std::string> others;
    for (const char* name : mask_folders) {
        const fs::path other = pair.masks.parent_path() / name;
        if (name == pair.masks.filename() || other == pair.images || same_file(other.string(), pair.masks.string()))
            continue;
        if (is_folder(other.string()) && !images_below(other.string()).images.empty())
            others.push_back(other.lexically_relative(root).string());
    }
    if (others.empty()) return;
    dataset.notes.push_back(
        fmt::format("masks: {} is taken, but {} could be meant too: `images` {} `masks` {} takes it",
                    pair.masks.lexically_relative(root).string(), few_of(others),
                    pair.images.lexically_relative(root).string(), others[0]));
}

FolderPair first_pair(const PairOfPart& pair_of, const std::vector<std::string>& names, std::string& found) {
    for (const std::string& name : names)
        if (const auto pair = pair_of(name)) return found = name, *pair;
    return found.clear(), FolderPair{};
}

}  // namespace

std::vector<Sample> samples_of_pair(const FolderPair& pair, const fs::path& root, Dataset& dataset) {
    FileSets files{.images_folder = pair.images.string(), .masks_folder = pair.masks.string()};
    std::string other, ignored;
    const ImageList images = images_of(pair.images, other), masks = images_of(pair.masks, ignored);
    if (!other.empty()) dataset.warnings.push_back(other);
    say_other_masks(pair, root, dataset);
    files.images = named_files(images, files.images_folder);
    files.masks = named_files(masks, files.masks_folder);
    files.skipped = images.skipped;
    files.skipped.insert(files.skipped.end(), masks.skipped.begin(), masks.skipped.end());
    std::sort(files.skipped.begin(), files.skipped.end());
    files.unread_images = images.unread;
    files.unread_masks = masks.unread;
    return samples_of_files(std::move(files), root, dataset);
}

std::optional<Dataset> dataset_of_parts(const fs::path& root, const PairOfPart& pair_of) {
    std::string name;
    const FolderPair train = first_pair(pair_of, {"train", "training", "Train"}, name);
    if (name.empty()) return {};
    Dataset dataset;
    dataset.train = samples_of_pair(train, root, dataset);
    dataset.layout = text_of(train, root);
    const FolderPair val = first_pair(pair_of, {"val", "valid", "validation", "Val"}, name);
    if (!name.empty()) {
        dataset.val = samples_of_pair(val, root, dataset);
        dataset.layout += ", " + text_of(val, root);
    }
    const FolderPair test = first_pair(pair_of, {"test", "testing", "Test"}, name);
    if (!name.empty() && !images_below(test.masks.string()).images.empty()) {
        dataset.test = samples_of_pair(test, root, dataset);
        dataset.layout += ", " + text_of(test, root);
    }
    return dataset;
}

std::string text_of(const FolderPair& pair, const fs::path& root) {
    return fmt::format("{} + {}", pair.images.lexically_relative(root).string(),
                       pair.masks.lexically_relative(root).string());
}

}  // namespace atrous::data
