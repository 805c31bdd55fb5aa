// Carvana: images in train/, masks as runs in train_masks.csv.
#include "base/paths.h"
#include "data/layouts.h"
#include "data/layouts/list_samples.h"

namespace atrous::data::layout {

static std::optional<Dataset> find_carvana(const std::string& given) {
    const std::filesystem::path root = given, list = root / "train_masks.csv";
    if (!is_file(list)) return {};
    Dataset dataset;
    dataset.train = samples_of_list(list.string(), root, {}, dataset, "auto");
    dataset.layout = "train_masks.csv";
    return dataset;
}

Layout carvana() { return {"Carvana", "train/ and train_masks.csv with runs", find_carvana}; }

}  // namespace atrous::data::layout
