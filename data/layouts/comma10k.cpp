// comma10k: imgs/ and masks/ of five colours, known by the names of its files.
#include <algorithm>
#include <regex>

#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

static bool has_its_name(const std::string& path) {  // 0000_0085e9e41513078a_2018-08-19--13-26-08_11_864
    static const std::regex pattern(
        R"([0-9]{4}_[0-9a-f]{16}_[0-9]{4}(-[0-9]{2}){2}--[0-9]{2}(-[0-9]{2}){2}_[0-9]+_[0-9]+)");
    return std::regex_match(fs::path(path).stem().string(), pattern);
}

static std::optional<Dataset> find_comma10k(const std::string& given) {
    const fs::path root = given;
    const FolderPair pair{root / "imgs", root / "masks"};
    if (!is_folder(pair.images.string()) || !is_folder(pair.masks.string())) return {};
    const std::vector<std::string> images = images_in(pair.images.string()).images;
    if (images.empty() || !std::all_of(images.begin(), images.end(), has_its_name)) return {};
    Dataset dataset;
    dataset.train = samples_of_pair(pair, root, dataset);
    const auto validates = [](const Sample& s) { return fs::path(s.image_path).stem().string().ends_with('9'); };
    const auto first = std::stable_partition(dataset.train.begin(), dataset.train.end(), std::not_fn(validates));
    if (first != dataset.train.begin()) {
        dataset.val.assign(first, dataset.train.end());
        dataset.train.erase(first, dataset.train.end());
    }
    dataset.mask_values = "#402020,#ff0000,#808060,#00ff66,#cc00ff";
    dataset.palette = {0x402020, 0xff0000, 0x808060, 0x00ff66, 0xcc00ff};
    dataset.class_names = {"road", "lane markings", "undrivable", "movable", "my car"};
    dataset.layout = "comma10k, " + text_of(pair, root);
    dataset.notes.push_back(
        "comma10k by the names of its files: its five colours are the classes, and images whose names end in 9 "
        "validate; "
        "`mask-values` and `val-pattern` say otherwise");
    return dataset;
}

Layout comma10k() { return {"comma10k", "imgs/ and masks/ of comma10k", find_comma10k, true}; }

}  // namespace atrous::data::layout
