// "train" beside "trainannot" (CamVid) or "train_masks" (Carvana), "train_images" beside "train_masks", "Train_RGB" beside
// "Train_Labels", and val and test likewise.
#include "base/paths.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

static constexpr const char* image_endings[] = {"", "_images", "_imgs", "_image", "_img", "_RGB", "images"};
static constexpr const char* mask_endings[] = {"annot",  "_masks", "_mask",   "_labels",
                                               "labels", "masks",  "_Labels", "_annotations"};

static std::optional<Dataset> find_adjacent_folders(const std::string& given) {
    const std::filesystem::path root = given;
    return dataset_of_parts(root, [&](const std::string& part) -> std::optional<FolderPair> {
        for (const char* images : image_endings)
            for (const char* masks : mask_endings)
                if (is_folder((root / (part + images)).string()) && is_folder((root / (part + masks)).string()))
                    return FolderPair{root / (part + images), root / (part + masks)};
        return {};
    });
}

Layout adjacent_folders() {
    return {"adjacent folders",
            "train/ and trainannot/ or train_masks/, or train_images/ and train_masks/; val likewise",
            find_adjacent_folders};
}

}  // namespace atrous::data::layout
