// Cityscapes: leftImg8bit/SPLIT/CITY/*_leftImg8bit.png beside gtFine/SPLIT/CITY/ with several kinds of labels.
#include <fmt/core.h>

#include <algorithm>

#include "base/paths.h"
#include "data/class_names.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/paired_samples.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

namespace {

constexpr const char* label_ids_as_train_ids =
    "7=0,8=1,11=2,12=3,13=4,17=5,19=6,20=7,21=8,22=9,23=10,24=11,25=12,26=13,27=14,28=15,31=16,32=17,33=18,*=ignore";

std::vector<NamedFile> ending_in(const fs::path& folder, const std::string& ending) {
    std::vector<NamedFile> files = named_files(images_below(folder.string()), folder.string());
    std::erase_if(files, [&](const NamedFile& file) { return !file.stem.ends_with(ending); });
    return files;
}

struct Labels {
    std::string kind;  // "labelTrainIds"
    fs::path folder;   // gtFine/
};

std::vector<Sample> samples_of(const fs::path& root, const std::string& split, const Labels& labels, Dataset& dataset) {
    const fs::path images = root / "leftImg8bit" / split, masks = labels.folder / split;
    if (!is_folder(images.string()) || !is_folder(masks.string())) return {};
    FileSets files{.images_folder = images.string(), .masks_folder = masks.string()};
    files.images = ending_in(images, "_leftImg8bit");
    files.masks = ending_in(masks, "_" + labels.kind);
    if (files.images.empty() || files.masks.empty()) return {};
    return samples_of_files(std::move(files), root, dataset);
}

std::optional<Labels> labels_of(const fs::path& root) {
    for (const char* folder : {"gtFine", "gtCoarse"})
        for (const char* kind : {"labelTrainIds", "labelIds"})
            if (is_folder((root / folder / "train").string()) &&
                !ending_in(root / folder / "train", std::string("_") + kind).empty())
                return Labels{kind, root / folder};
    return {};
}

}  // namespace

static std::optional<Dataset> find_cityscapes(const std::string& given) {
    const fs::path root = given;
    if (!is_folder((root / "leftImg8bit" / "train").string())) return {};
    const auto labels = labels_of(root);
    if (!labels) return {};
    Dataset dataset;
    dataset.train = samples_of(root, "train", *labels, dataset);
    if (dataset.train.empty()) return {};
    dataset.val = samples_of(root, "val", *labels, dataset);
    dataset.notes.clear();  // how its names are paired is the set's own rule
    const bool train_ids = labels->kind == "labelTrainIds";
    dataset.mask_values = train_ids ? "ids" : label_ids_as_train_ids;
    dataset.class_names = cityscapes_class_names();
    dataset.palette = cityscapes_colours();
    dataset.layout = fmt::format("Cityscapes, {} of {}", labels->kind, labels->folder.filename().string());
    dataset.notes.push_back(train_ids ? "masks: train ids 0 to 18, 255 is ignored, as Cityscapes' benchmark; `masks` "
                                        "'gtFine/train/**/*_labelIds.png' "
                                        "(and `images`) train label ids"
                                      : "masks: label ids become the 19 train ids of Cityscapes' benchmark, the others "
                                        "are ignored; `mask-values` ids "
                                        "trains label ids");
    return dataset;
}

Layout cityscapes() { return {"Cityscapes", "leftImg8bit/ and gtFine/ of Cityscapes", find_cityscapes, true}; }

}  // namespace atrous::data::layout
