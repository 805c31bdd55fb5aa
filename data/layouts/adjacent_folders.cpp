// "train" beside "trainannot" (CamVid) or "train_masks" (Carvana), and val likewise.
#include "base/paths.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

static constexpr const char* mask_endings[] = {"annot", "_masks", "_mask", "_labels", "labels", "masks"};

static std::optional<Dataset> find_adjacent_folders(const std::string& given) {
    const std::filesystem::path root = given;
    return dataset_of_parts(root, [&](const std::string& part) -> std::optional<FolderPair> {
        for (const char* ending : mask_endings)
            if (is_folder(root / part) && is_folder(root / (part + ending)))
                return FolderPair{root / part, root / (part + ending)};
        return {};
    });
}

Layout adjacent_folders() {
    return {"adjacent folders", "train/ and trainannot/ or train_masks/, val/ likewise", find_adjacent_folders};
}

}  // namespace atrous::data::layout
