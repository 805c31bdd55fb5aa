// Pascal VOC: the folder of a year, or a VOCdevkit/ with one.
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/list_samples.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

static fs::path voc_root(const fs::path& root) {
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

static std::optional<Dataset> find_voc(const std::string& given) {
    const fs::path root = voc_root(given), lists = root / "ImageSets" / "Segmentation";
    if (!is_folder(root / "JPEGImages") || !is_folder(root / "SegmentationClass")) return {};
    if (!is_file(lists / "train.txt")) return {};
    const FolderPair pair{root / "JPEGImages", root / "SegmentationClass"};
    Dataset dataset;
    dataset.train = samples_of_list((lists / "train.txt").string(), root, pair);
    if (is_file(lists / "val.txt")) dataset.val = samples_of_list((lists / "val.txt").string(), root, pair);
    return dataset;
}

Layout voc() {
    return {"Pascal VOC", "VOCdevkit/, or the JPEGImages/, SegmentationClass/ and ImageSets/ of one year", find_voc};
}

}  // namespace atrous::data::layout
