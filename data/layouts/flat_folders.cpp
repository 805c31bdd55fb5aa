// A pair of folders in the root, of which a share validates.
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

static std::optional<Dataset> find_flat_folders(const std::string& root) {
    const auto pair = find_pair(root);
    if (!pair) return {};
    Dataset dataset;
    dataset.train = samples_of_pair(*pair, root, dataset);
    dataset.layout = text_of(*pair, root);
    return dataset;
}

Layout flat_folders() { return {"flat folders", "images/ and masks/ with files of the same names", find_flat_folders}; }

}  // namespace atrous::data::layout
