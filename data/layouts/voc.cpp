// Pascal VOC: the folder of a year, or a VOCdevkit/ with one.
#include <fmt/core.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/paths.h"
#include "data/class_names.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/list_samples.h"
#include "data/palette.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

namespace {

void add_years(const fs::path& folder, std::vector<fs::path>& years) {
    if (!is_folder(folder.string())) return;
    for (const auto& year : names_in(folder.string()))
        if (is_folder((folder / year / "SegmentationClass").string())) years.push_back(folder / year);
}

// The year's folder in VOCdevkit/, or in what is VOCdevkit/ itself.
fs::path voc_root(const fs::path& root) {
    std::vector<fs::path> years;
    add_years(root / "VOCdevkit", years);
    if (years.empty() && !is_folder((root / "SegmentationClass").string())) add_years(root, years);
    if (years.empty()) return root;
    if (years.size() > 1)
        throw DataError(fmt::format("{}: {} years of VOC lie here; give the folder of one, such as {}", root.string(),
                                    years.size(), std::max_element(years.begin(), years.end())->string()));
    return years[0];
}

// Many sets of other classes are laid out so; VOC's own are called 2007_000032 or 000032.
bool has_names_of_voc(const std::vector<Sample>& samples) {
    static const std::regex pattern("([0-9]{4}_)?[0-9]{6}");
    return std::all_of(samples.begin(), samples.end(), [](const Sample& s) {
        return std::regex_match(fs::path(s.image_path).stem().string(), pattern);
    });
}

}  // namespace

static std::optional<Dataset> find_voc(const std::string& given) {
    const fs::path root = voc_root(given), lists = root / "ImageSets" / "Segmentation";
    if (!is_folder((root / "JPEGImages").string()) || !is_folder((root / "SegmentationClass").string())) return {};
    if (!is_file((lists / "train.txt").string())) return {};
    const FolderPair pair{root / "JPEGImages", root / "SegmentationClass"};
    Dataset dataset;
    dataset.train = samples_of_list((lists / "train.txt").string(), root, pair, dataset);
    const std::string val = (lists / "val.txt").string();
    if (is_file(val)) dataset.val = samples_of_list(val, root, pair, dataset);
    if (is_folder((root / "SegmentationClassAug").string()))
        dataset.notes.push_back("masks: SegmentationClass; SegmentationClassAug lies beside it: `train-list` takes it");
    if (has_names_of_voc(dataset.train) && root.filename().string().starts_with("VOC")) {
        dataset.class_names = voc_class_names();
        const Palette palette = voc_palette();
        dataset.palette.assign(palette.begin(), palette.begin() + 21);
        dataset.notes.push_back(
            "classes: the 21 of Pascal VOC, by the names of folder and files; `classes` says otherwise");
    }
    return dataset;
}

Layout voc() {
    return {"Pascal VOC", "VOCdevkit/, or the JPEGImages/, SegmentationClass/ and ImageSets/ of one year", find_voc};
}

}  // namespace atrous::data::layout
