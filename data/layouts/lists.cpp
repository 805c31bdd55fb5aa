// List files in the root.
#include "base/paths.h"
#include "data/layouts.h"
#include "data/layouts/list_samples.h"

namespace atrous::data::layout {

static std::optional<Dataset> find_lists(const std::string& given) {
    const std::filesystem::path root = given;
    if (!is_file(root / "train.txt")) return {};
    const auto pair = find_pair(root);
    Dataset dataset;
    dataset.train = samples_of_list((root / "train.txt").string(), root, pair, dataset);
    dataset.layout = "train.txt";
    if (is_file(root / "val.txt")) {
        dataset.val = samples_of_list((root / "val.txt").string(), root, pair, dataset);
        dataset.layout += ", val.txt";
    }
    return dataset;
}

Layout lists() { return {"list files", "train.txt and val.txt with lines 'image mask'", find_lists}; }

}  // namespace atrous::data::layout
