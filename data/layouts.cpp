#include "data/layouts.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/list.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

constexpr const char* picture_folders[] = {"images", "imgs", "image", "img", "JPEGImages", "img_dir"};
constexpr const char* mask_folders[] = {"masks",      "mask",    "labels", "label",    "annotations",
                                        "annotation", "ann_dir", "gt",     "labelsTr", "SegmentationClass"};
constexpr const char* train_mask_folders[] = {"annot",   "_masks", "_mask",
                                              "_labels", "labels", "masks"};  // after "train"
constexpr const char* val_folders[] = {"val", "valid", "validation"};
constexpr const char* mask_suffixes[] = {"",    "_mask", "_masks",      "_label", "_labels",
                                         "_gt", "_seg",  "_annotation", "_L"};

struct FolderPair {
    fs::path pictures, masks;
};

std::optional<FolderPair> find_pair(const fs::path& root) {
    for (const char* pictures : picture_folders)
        for (const char* masks : mask_folders)
            if (is_folder(root / pictures) && is_folder(root / masks)) return FolderPair{root / pictures, root / masks};
    return {};
}

// "train" beside "trainannot" (CamVid) or "train_masks" (Carvana).
std::optional<FolderPair> find_adjacent_pair(const fs::path& root, const std::string& name) {
    for (const char* suffix : train_mask_folders)
        if (is_folder(root / name) && is_folder(root / (name + suffix)))
            return FolderPair{root / name, root / (name + suffix)};
    return {};
}

// Stem to file; two files of one stem would make the pairing a matter of luck.
std::map<std::string, fs::path> by_stem(const fs::path& folder, std::vector<std::string>& skipped) {
    std::map<std::string, fs::path> files;
    PictureList list = pictures_in(folder);
    for (const fs::path file : list.pictures) {
        const auto [at, fresh] = files.emplace(file.stem().string(), file);
        if (!fresh)
            throw DataError(fmt::format("{} and {} differ only in their extension; keep one of them",
                                        at->second.string(), file.filename().string()));
    }
    skipped.insert(skipped.end(), list.skipped.begin(), list.skipped.end());
    return files;
}

// Names key the split, so they are the same for every spelling of a path.
std::string name_of(const fs::path& picture, const fs::path& root) {
    return picture.lexically_relative(root).lexically_normal().replace_extension().generic_string();
}

// The mask of a picture: its stem, also with a usual suffix.
std::map<std::string, fs::path>::const_iterator find_mask(const std::map<std::string, fs::path>& masks,
                                                          const std::string& stem) {
    for (const char* suffix : mask_suffixes)
        if (const auto found = masks.find(stem + suffix); found != masks.end()) return found;
    return masks.end();
}

std::vector<Sample> pair_folders(const FolderPair& pair, const fs::path& root, std::vector<std::string>& warnings) {
    std::vector<std::string> alone, skipped;
    auto masks = by_stem(pair.masks, skipped);
    std::vector<Sample> samples;
    for (const auto& [stem, picture] : by_stem(pair.pictures, skipped)) {
        if (const auto mask = find_mask(masks, stem); mask != masks.end()) {
            samples.push_back({picture.string(), mask->second.string(), name_of(picture, root)});
            masks.erase(mask);
        } else {
            alone.push_back(picture.filename().string());
        }
    }
    const std::string left_out = skipped.empty() ? "" : "; left out: " + few_of(skipped);
    if (samples.empty() && alone.empty())
        throw DataError(fmt::format("{}: no pictures in this folder; put JPEG or PNG files there{}",
                                    pair.pictures.string(), left_out));
    if (!alone.empty())
        throw DataError(
            fmt::format("{}: {} of {} pictures have no mask in {}: {}; a mask has its picture's name, also with "
                        "_mask or _label appended{}",
                        pair.pictures.string(), alone.size(), alone.size() + samples.size(), pair.masks.string(),
                        few_of(alone), left_out));
    if (!skipped.empty())
        warnings.push_back(
            fmt::format("{} files cannot be looked at and are left out: {}", skipped.size(), few_of(skipped)));
    if (!masks.empty())
        warnings.push_back(fmt::format("{}: {} masks have no picture, the first is {}", pair.masks.string(),
                                       masks.size(), masks.begin()->second.filename().string()));
    return samples;
}

// Resolves bare stems of a list through a pair of folders, which it indexes once.
class StemFinder {
 public:
    explicit StemFinder(const std::optional<FolderPair>& pair) {
        if (!pair) return;
        std::vector<std::string> skipped;  // a list that needs one of them says which it misses
        pictures_ = by_stem(pair->pictures, skipped);
        masks_ = by_stem(pair->masks, skipped);
    }
    Sample find(const std::string& entry, const fs::path& root, const std::string& where) const {
        const std::string file = fs::path(entry).filename().string();
        const std::string stem = is_picture_name(file) ? fs::path(file).stem().string() : file;
        const auto picture = pictures_.find(stem);
        const auto mask = find_mask(masks_, stem);
        if (picture == pictures_.end() || mask == masks_.end())
            throw DataError(fmt::format("{}: no {} is called '{}'; write 'image mask' with paths relative to {}", where,
                                        picture == pictures_.end() ? "picture" : "mask", stem, root.string()));
        return {picture->second.string(), mask->second.string(), name_of(picture->second, root)};
    }

 private:
    std::map<std::string, fs::path> pictures_, masks_;
};

// A run-length list names pictures without their folder.
fs::path below(const fs::path& root, const std::string& file) {
    if (is_file(root / file)) return root / file;
    for (const char* folder : picture_folders)
        if (is_file(root / folder / file)) return root / folder / file;
    return root / "train" / file;
}

std::vector<Sample> samples_of_list(const std::string& list, const fs::path& root,
                                    const std::optional<FolderPair>& pair) {
    const StemFinder finder(pair);
    std::vector<Sample> samples;
    std::vector<std::string> missing;
    for (const auto& entry : read_list(list)) {
        const std::string where = fmt::format("{}:{}", list, entry.line);
        if (entry.mask.empty() && !entry.rle) {
            samples.push_back(finder.find(entry.image, root, where));
            continue;
        }
        const fs::path picture = entry.rle ? below(root, entry.image) : root / entry.image, mask = root / entry.mask;
        for (const fs::path& file : {picture, entry.rle ? picture : mask})
            if (!is_file(file)) {
                missing.push_back(fmt::format("{} (line {}: {})", file.string(), entry.line, absence(file, "file")));
                break;
            }
        samples.push_back({picture.string(), entry.rle ? where : mask.string(), name_of(picture, root), entry.rle});
    }
    if (!missing.empty())
        throw DataError(fmt::format("{}: {} files cannot be found: {}; paths are relative to {}", list, missing.size(),
                                    few_of(missing), root.string()));
    if (samples.empty()) throw DataError(fmt::format("{}: the list names no sample", list));
    return samples;
}

fs::path voc_root(const fs::path& root) {
    std::vector<fs::path> years;
    if (is_folder(root / "VOCdevkit"))
        for (const auto& year : names_in(root / "VOCdevkit"))
            if (is_folder(root / "VOCdevkit" / year / "SegmentationClass")) years.push_back(root / "VOCdevkit" / year);
    if (years.empty()) return root;
    if (years.size() > 1)
        throw DataError(fmt::format("{}: {} years of VOC lie here; give the folder of one, such as {}", root.string(),
                                    years.size(), std::max_element(years.begin(), years.end())->string()));
    return years[0];
}

bool find_voc(const fs::path& given, Dataset& dataset) {
    const fs::path root = voc_root(given), lists = root / "ImageSets" / "Segmentation";
    if (!is_folder(root / "JPEGImages") || !is_folder(root / "SegmentationClass")) return false;
    if (!is_file(lists / "train.txt")) return false;
    const FolderPair pair{root / "JPEGImages", root / "SegmentationClass"};
    dataset.train = samples_of_list((lists / "train.txt").string(), root, pair);
    if (is_file(lists / "val.txt")) dataset.val = samples_of_list((lists / "val.txt").string(), root, pair);
    dataset.layout = "Pascal VOC";
    return true;
}

std::string pair_text(const FolderPair& pair, const fs::path& root) {
    return fmt::format("{} + {}", pair.pictures.lexically_relative(root).string(),
                       pair.masks.lexically_relative(root).string());
}

bool find_split_folders(const fs::path& root, Dataset& dataset) {
    const auto train = find_pair(root / "train");
    if (!train) return false;
    dataset.train = pair_folders(*train, root, dataset.warnings);
    dataset.layout = pair_text(*train, root);
    for (const char* name : val_folders)
        if (const auto val = find_pair(root / name); val && dataset.val.empty()) {
            dataset.val = pair_folders(*val, root, dataset.warnings);
            dataset.layout += ", " + pair_text(*val, root);
        }
    return true;
}

// images/{train,val} beside annotations/{train,val} (ADE20K, MMSegmentation).
bool find_pair_of_splits(const fs::path& root, Dataset& dataset) {
    const auto pair = find_pair(root);
    if (!pair || !is_folder(pair->pictures / "train") || !is_folder(pair->masks / "train")) return false;
    const FolderPair train{pair->pictures / "train", pair->masks / "train"};
    dataset.train = pair_folders(train, root, dataset.warnings);
    dataset.layout = pair_text(train, root);
    for (const char* name : val_folders)
        if (const FolderPair val{pair->pictures / name, pair->masks / name};
            is_folder(val.pictures) && is_folder(val.masks) && dataset.val.empty()) {
            dataset.val = pair_folders(val, root, dataset.warnings);
            dataset.layout += ", " + pair_text(val, root);
        }
    return true;
}

bool find_lists(const fs::path& root, Dataset& dataset) {
    if (!is_file(root / "train.txt")) return false;
    const auto pair = find_pair(root);
    dataset.train = samples_of_list((root / "train.txt").string(), root, pair);
    dataset.layout = "train.txt";
    if (is_file(root / "val.txt")) {
        dataset.val = samples_of_list((root / "val.txt").string(), root, pair);
        dataset.layout += ", val.txt";
    }
    return true;
}

bool find_flat(const fs::path& root, Dataset& dataset) {
    auto pair = find_pair(root);
    if (!pair) pair = find_adjacent_pair(root, "train");
    if (!pair) return false;
    dataset.train = pair_folders(*pair, root, dataset.warnings);
    dataset.layout = pair_text(*pair, root);
    if (pair->pictures.filename() == "train")
        for (const char* name : val_folders)
            if (const auto val = find_adjacent_pair(root, name); val && dataset.val.empty()) {
                dataset.val = pair_folders(*val, root, dataset.warnings);
                dataset.layout += ", " + pair_text(*val, root);
            }
    return true;
}

// Carvana: pictures in train/, masks as runs in train_masks.csv.
bool find_runs(const fs::path& root, Dataset& dataset) {
    if (!is_file(root / "train_masks.csv")) return false;
    dataset.train = samples_of_list((root / "train_masks.csv").string(), root, {});
    dataset.layout = "train_masks.csv";
    return true;
}

[[noreturn]] void not_recognised(const fs::path& root) {
    std::vector<std::string> found;
    for (const auto& name : names_in(root)) {
        const std::string problem = path_problem(root / name);
        found.push_back(problem.empty() ? name + (is_folder(root / name) ? "/" : "")
                                        : fmt::format("{} ({})", name, problem));
    }
    throw DataError(
        fmt::format("{}: no data set is recognised here (found: {}); expected images/ and masks/ with files of "
                    "the same names, {{train,val}}/{{images,masks}}/, train.txt with lines 'image mask', "
                    "train_masks.csv with runs, or VOCdevkit/",
                    root.string(), found.empty() ? "nothing" : few_of(found)));
}

}  // namespace

std::vector<Sample> samples_of_list(const std::string& list, const std::string& root) {
    return samples_of_list(list, root, find_pair(root));
}

void recognise_layout(const std::string& root, Dataset& dataset) {
    if (!find_voc(root, dataset) && !find_split_folders(root, dataset) && !find_lists(root, dataset) &&
        !find_pair_of_splits(root, dataset) && !find_flat(root, dataset) && !find_runs(root, dataset))
        not_recognised(root);
}

}  // namespace atrous::data
