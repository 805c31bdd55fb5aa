// images/{train,val} beside annotations/{train,val} (ADE20K, MMSegmentation).
#include "base/paths.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

static std::optional<Dataset> find_folders_of_splits(const std::string& root) {
    const auto pair = find_pair(root);
    if (!pair) return {};
    return dataset_of_parts(root, [&](const std::string& part) -> std::optional<FolderPair> {
        const FolderPair of_part{pair->images / part, pair->masks / part};
        if (!is_folder(of_part.images) || !is_folder(of_part.masks)) return {};
        return of_part;
    });
}

Layout folders_of_splits() { return {"folders of splits", "{images,masks}/{train,val}/", find_folders_of_splits}; }

}  // namespace atrous::data::layout
