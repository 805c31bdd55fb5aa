// CVAT's segmentation masks: JPEGImages/, SegmentationClass/ in the colours of labelmap.txt, ImageSets/Segmentation/.
#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/class_names.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/list_samples.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

// A rule of the colours in their order.
static std::string rule_of(const Palette& colours) {
    std::string rule;
    for (const uint32_t colour : colours) rule += fmt::format("{}#{:06x}", rule.empty() ? "" : ",", colour);
    return rule;
}

// Nothing where the file is another program's.
static std::optional<ClassNames> names_of(const std::string& labelmap) {
    try {
        return read_class_names(labelmap);
    } catch (const NotClassNames&) {
        return {};
    }
}

static std::optional<Dataset> find_cvat(const std::string& given) {
    const fs::path root = given, lists = root / "ImageSets" / "Segmentation";
    const FolderPair pair{root / "JPEGImages", root / "SegmentationClass"};
    const std::string labelmap = (root / "labelmap.txt").string();
    if (!is_file(labelmap) || !is_folder(pair.masks.string())) return {};
    const auto names = names_of(labelmap);
    if (!names || names->names.empty()) return {};
    if (!is_folder(pair.images.string()))
        throw DataError(fmt::format("{}: masks of CVAT without images; export with images, or put them into {}",
                                    root.string(), pair.images.string()));
    Dataset dataset;
    const auto list = [&](const char* name) { return (lists / (std::string(name) + ".txt")).string(); };
    if (is_file(list("train")))
        dataset.train = samples_of_list(list("train"), root, pair, dataset);
    else
        dataset.train = samples_of_pair(pair, root, dataset);
    if (is_file(list("val")) && is_file(list("train"))) dataset.val = samples_of_list(list("val"), root, pair, dataset);
    dataset.class_names = names->names;
    dataset.palette = names->colours;
    dataset.mask_values = rule_of(names->colours);
    dataset.layout = "CVAT, " + text_of(pair, root);
    dataset.notes.push_back("masks: the colours of labelmap.txt are the classes; `mask-values` says otherwise");
    return dataset;
}

Layout cvat() { return {"CVAT", "JPEGImages/, SegmentationClass/ and labelmap.txt of CVAT", find_cvat, true}; }

}  // namespace atrous::data::layout
