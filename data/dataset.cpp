#include "data/dataset.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "data/list.h"
#include "data/rle.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"

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

template <class Iterator>
std::vector<fs::path> pictures_among(Iterator entries) {
    std::vector<fs::path> files;
    for (const auto& entry : entries)
        if (entry.is_regular_file() && is_picture_name(entry.path().string())) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}
std::vector<fs::path> pictures_in(const fs::path& folder) { return pictures_among(fs::directory_iterator(folder)); }
std::vector<fs::path> pictures_below(const fs::path& folder) {
    return pictures_among(fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied));
}

std::string few_of(const std::vector<std::string>& names) {
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(names.size(), 5); ++i) text += (i ? ", " : "") + names[i];
    return names.size() > 5 ? fmt::format("{} and {} more", text, names.size() - 5) : text;
}

struct FolderPair {
    fs::path pictures, masks;
};

std::optional<FolderPair> find_pair(const fs::path& root) {
    for (const char* pictures : picture_folders)
        for (const char* masks : mask_folders)
            if (fs::is_directory(root / pictures) && fs::is_directory(root / masks))
                return FolderPair{root / pictures, root / masks};
    return {};
}

// "train" beside "trainannot" (CamVid) or "train_masks" (Carvana).
std::optional<FolderPair> find_adjacent_pair(const fs::path& root, const std::string& name) {
    for (const char* suffix : train_mask_folders)
        if (fs::is_directory(root / name) && fs::is_directory(root / (name + suffix)))
            return FolderPair{root / name, root / (name + suffix)};
    return {};
}

// Stem to file; two files of one stem would make the pairing a matter of luck.
std::map<std::string, fs::path> by_stem(const fs::path& folder) {
    std::map<std::string, fs::path> files;
    for (const auto& file : pictures_in(folder)) {
        const auto [at, fresh] = files.emplace(file.stem().string(), file);
        if (!fresh)
            throw DataError(fmt::format("{} and {} differ only in their extension; keep one of them",
                                        at->second.string(), file.filename().string()));
    }
    return files;
}

std::string name_of(const fs::path& picture, const fs::path& root) {
    return picture.lexically_relative(root).replace_extension().generic_string();
}

// The mask of a picture: its stem, also with a usual suffix.
std::map<std::string, fs::path>::const_iterator find_mask(const std::map<std::string, fs::path>& masks,
                                                          const std::string& stem) {
    for (const char* suffix : mask_suffixes)
        if (const auto found = masks.find(stem + suffix); found != masks.end()) return found;
    return masks.end();
}

std::vector<Sample> pair_folders(const FolderPair& pair, const fs::path& root, std::vector<std::string>& warnings) {
    auto masks = by_stem(pair.masks);
    std::vector<Sample> samples;
    std::vector<std::string> alone;
    for (const auto& [stem, picture] : by_stem(pair.pictures)) {
        if (const auto mask = find_mask(masks, stem); mask != masks.end()) {
            samples.push_back({picture.string(), mask->second.string(), name_of(picture, root)});
            masks.erase(mask);
        } else {
            alone.push_back(picture.filename().string());
        }
    }
    if (samples.empty() && alone.empty())
        throw DataError(
            fmt::format("{}: no pictures in this folder; put JPEG or PNG files there", pair.pictures.string()));
    if (!alone.empty())
        throw DataError(fmt::format(
            "{}: {} of {} pictures have no mask in {}: {}; a mask has its picture's name, also with "
            "_mask or _label appended",
            pair.pictures.string(), alone.size(), alone.size() + samples.size(), pair.masks.string(), few_of(alone)));
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
        pictures_ = by_stem(pair->pictures);
        masks_ = by_stem(pair->masks);
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
    if (fs::is_regular_file(root / file)) return root / file;
    for (const char* folder : picture_folders)
        if (fs::is_regular_file(root / folder / file)) return root / folder / file;
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
            if (!fs::is_regular_file(file)) {
                missing.push_back(fmt::format("{} (line {})", file.string(), entry.line));
                break;
            }
        samples.push_back({picture.string(), entry.rle ? where : mask.string(), name_of(picture, root), entry.rle});
    }
    if (!missing.empty())
        throw DataError(fmt::format("{}: {} files do not exist: {}; paths are relative to {}", list, missing.size(),
                                    few_of(missing), root.string()));
    if (samples.empty()) throw DataError(fmt::format("{}: the list names no sample", list));
    return samples;
}

// Samples that validate are not trained on, whatever the lists say.
void refuse_overlap(const Dataset& dataset) {
    std::map<std::string, int> seen;
    std::vector<std::string> twice;
    for (const auto* part : {&dataset.train, &dataset.val})
        for (const auto& sample : *part)
            if (++seen[sample.image_path] == 2) twice.push_back(sample.name);
    if (!twice.empty())
        throw DataError(fmt::format("{} pictures are listed twice or both train and validate: {}; list each once",
                                    twice.size(), few_of(twice)));
}

fs::path voc_root(const fs::path& root) {
    std::vector<fs::path> years;
    if (fs::is_directory(root / "VOCdevkit"))
        for (const auto& entry : fs::directory_iterator(root / "VOCdevkit"))
            if (fs::is_directory(entry.path() / "SegmentationClass")) years.push_back(entry.path());
    if (years.empty()) return root;
    if (years.size() > 1)
        throw DataError(fmt::format("{}: {} years of VOC lie here; give the folder of one, such as {}", root.string(),
                                    years.size(), std::max_element(years.begin(), years.end())->string()));
    return years[0];
}

bool find_voc(const fs::path& given, Dataset& dataset) {
    const fs::path root = voc_root(given), lists = root / "ImageSets" / "Segmentation";
    if (!fs::is_directory(root / "JPEGImages") || !fs::is_directory(root / "SegmentationClass")) return false;
    if (!fs::is_regular_file(lists / "train.txt")) return false;
    const FolderPair pair{root / "JPEGImages", root / "SegmentationClass"};
    dataset.train = samples_of_list((lists / "train.txt").string(), root, pair);
    if (fs::is_regular_file(lists / "val.txt")) dataset.val = samples_of_list((lists / "val.txt").string(), root, pair);
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
    if (!pair || !fs::is_directory(pair->pictures / "train") || !fs::is_directory(pair->masks / "train")) return false;
    const FolderPair train{pair->pictures / "train", pair->masks / "train"};
    dataset.train = pair_folders(train, root, dataset.warnings);
    dataset.layout = pair_text(train, root);
    for (const char* name : val_folders)
        if (const FolderPair val{pair->pictures / name, pair->masks / name};
            fs::is_directory(val.pictures) && fs::is_directory(val.masks) && dataset.val.empty()) {
            dataset.val = pair_folders(val, root, dataset.warnings);
            dataset.layout += ", " + pair_text(val, root);
        }
    return true;
}

bool find_lists(const fs::path& root, Dataset& dataset) {
    if (!fs::is_regular_file(root / "train.txt")) return false;
    const auto pair = find_pair(root);
    dataset.train = samples_of_list((root / "train.txt").string(), root, pair);
    dataset.layout = "train.txt";
    if (fs::is_regular_file(root / "val.txt")) {
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
    if (!fs::is_regular_file(root / "train_masks.csv")) return false;
    dataset.train = samples_of_list((root / "train_masks.csv").string(), root, {});
    dataset.layout = "train_masks.csv";
    return true;
}

[[noreturn]] void not_recognised(const fs::path& root) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(root))
        found.push_back(entry.path().filename().string() + (entry.is_directory() ? "/" : ""));
    std::sort(found.begin(), found.end());
    throw DataError(
        fmt::format("{}: no data set is recognised here (found: {}); expected images/ and masks/ with files of "
                    "the same names, {{train,val}}/{{images,masks}}/, train.txt with lines 'image mask', "
                    "train_masks.csv with runs, or VOCdevkit/",
                    root.string(), found.empty() ? "nothing" : few_of(found)));
}

void find_in_lists(const DatasetOptions& options, Dataset& dataset) {
    const fs::path root = options.root;
    const auto pair = find_pair(root);
    dataset.train = samples_of_list(options.train_list, root, pair);
    dataset.layout = options.train_list;
}

// --val-list with another layout: what it names validates, the rest trains.
void apply_val_list(const DatasetOptions& options, Dataset& dataset) {
    const fs::path root = options.root;
    dataset.val = samples_of_list(options.val_list, root, find_pair(root));
    std::map<std::string, bool> validates;
    for (const auto& sample : dataset.val) validates[sample.image_path] = true;
    std::erase_if(dataset.train, [&](const Sample& sample) { return validates.count(sample.image_path) > 0; });
    dataset.layout += ", " + options.val_list;
}

}  // namespace

uint64_t name_hash(const std::string& name, uint64_t seed) {
    uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
    return Random(seed, hash).next_u64();
}

void split_by_fraction(Dataset& dataset, double fraction, uint64_t seed) {
    if (!(fraction >= 0 && fraction < 1))
        throw UsageError(
            fmt::format("--val-fraction {} is not in [0, 1); 0.1 validates on every tenth sample", fraction));
    const size_t n = dataset.train.size();
    size_t count = size_t(std::llround(fraction * double(n)));
    if (fraction > 0 && n >= 2) count = std::clamp<size_t>(count, 1, n - 1);
    std::vector<std::pair<uint64_t, size_t>> order;
    for (size_t i = 0; i < n; ++i) order.emplace_back(name_hash(dataset.train[i].name, seed), i);
    std::sort(order.begin(), order.end());
    std::vector<bool> validates(n, false);
    for (size_t k = 0; k < count; ++k) validates[order[k].second] = true;
    std::vector<Sample> train;
    for (size_t i = 0; i < n; ++i) (validates[i] ? dataset.val : train).push_back(dataset.train[i]);
    dataset.train = std::move(train);
}

void split_by_pattern(Dataset& dataset, const std::string& pattern) {
    std::vector<Sample> train, val = std::move(dataset.val);
    for (auto& sample : dataset.train) {
        const std::string file = fs::path(sample.image_path).filename().string();
        (fnmatch(pattern.c_str(), file.c_str(), 0) == 0 ? val : train).push_back(std::move(sample));
    }
    dataset.train = std::move(train);
    dataset.val = std::move(val);
    if (dataset.val.empty() || dataset.train.empty())
        throw DataError(
            fmt::format("--val-pattern '{}' matches {} of the pictures; it is a glob on file names, such as "
                        "'*9.png'",
                        pattern, dataset.val.empty() ? "none" : "all"));
}

Dataset find_dataset(const DatasetOptions& options) {
    const fs::path root = options.root;
    if (!fs::is_directory(root))
        throw DataError(fmt::format("{}: {}; give the folder of the data set", options.root,
                                    fs::exists(root) ? "not a folder" : "no such folder"));
    Dataset dataset;
    if (!options.train_list.empty())
        find_in_lists(options, dataset);
    else if (!find_voc(root, dataset) && !find_split_folders(root, dataset) && !find_lists(root, dataset) &&
             !find_pair_of_splits(root, dataset) && !find_flat(root, dataset) && !find_runs(root, dataset))
        not_recognised(root);
    if (!options.val_list.empty() || !options.val_pattern.empty()) {  // an explicit choice replaces the layout's own
        dataset.train.insert(dataset.train.end(), dataset.val.begin(), dataset.val.end());
        dataset.val.clear();
    }
    if (!options.val_list.empty())
        apply_val_list(options, dataset);
    else if (!options.val_pattern.empty())
        split_by_pattern(dataset, options.val_pattern);
    else if (dataset.val.empty())
        split_by_fraction(dataset, options.val_fraction, options.seed);
    refuse_overlap(dataset);
    return dataset;
}

RawMask load_mask(const Sample& sample, int64_t h, int64_t w) {
    if (sample.rle) return {decode_rle(*sample.rle, h, w, sample.mask_path), {}};
    RawMask mask = load_mask(sample.mask_path);
    if (mask.image.h != h || mask.image.w != w)
        throw DataError(
            fmt::format("{}: the mask is {}x{}, but its picture {} is {}x{}; export the mask at the "
                        "picture's size",
                        sample.mask_path, mask.image.w, mask.image.h, sample.image_path, w, h));
    return mask;
}

std::vector<std::string> list_pictures(const std::string& path, bool below) {
    if (fs::is_regular_file(path)) return {path};
    if (!fs::is_directory(path)) throw DataError(fmt::format("{}: no such file or folder; check the path", path));
    std::vector<std::string> files;
    for (const auto& file : below ? pictures_below(path) : pictures_in(path)) files.push_back(file.string());
    if (files.empty())
        throw DataError(fmt::format("{}: no pictures in this folder{}", path, below ? " or those in it" : ""));
    return files;
}

}  // namespace atrous::data
