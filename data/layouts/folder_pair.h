// Layouts are made of this: a folder of images beside one of masks.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

struct FolderPair {
    std::filesystem::path images, masks;
};

inline constexpr const char* image_folders[] = {"images", "imgs", "image", "img", "JPEGImages", "img_dir", "Images"};
inline constexpr const char* mask_folders[] = {"masks",       "mask",         "labels", "label",    "annotations",
                                               "annotation",  "ann_dir",      "gt",     "labelsTr", "SegmentationClass",
                                               "groundtruth", "ground_truth", "GT",     "Masks",    "Labels"};

// images|imgs|… and masks|labels|… in `root`.
std::optional<FolderPair> find_pair(const std::filesystem::path& root);

// Every image with its mask (samples_of_files). Where a folder holds no images itself, those of the folders in it count.
// DataError where an image has no mask; what is left out goes into the dataset's warnings. Names are paths below `root`.
std::vector<Sample> samples_of_pair(const FolderPair& pair, const std::filesystem::path& root, Dataset& dataset);

// Finds the samples of train/ (or training/), of the first of val/, valid/, validation/ that exists, and of test/ where it
// has masks. `pair_of` says which folders belong to a name. Returns nothing where train/ has none.
using PairOfPart = std::function<std::optional<FolderPair>(const std::string& part)>;
std::optional<Dataset> dataset_of_parts(const std::filesystem::path& root, const PairOfPart& pair_of);

std::string text_of(const FolderPair& pair, const std::filesystem::path& root);  // "images + masks"

using FilesByStem = std::map<std::string, std::filesystem::path>;
// The images of a folder. DataError where two differ only in their extension; what cannot be looked at is `skipped`.
FilesByStem by_stem(const std::filesystem::path& folder, std::vector<std::string>& skipped);
FilesByStem::const_iterator find_mask(const FilesByStem& masks, const std::string& stem);

// The image's path below the root without its extension. Names key the split, so they are the same for every spelling
// of a path.
std::string sample_name(const std::filesystem::path& image, const std::filesystem::path& root);

}  // namespace atrous::data
