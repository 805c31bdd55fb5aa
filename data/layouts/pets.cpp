// Oxford-IIIT Pets: images/, annotations/trimaps/ with 1 pet, 2 background, 3 border.
#include <fstream>
#include <set>

#include "base/paths.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/paired_samples.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

// The first word of each line; none where there is no such list.
static std::set<std::string> names_of_list(const fs::path& path) {
    std::set<std::string> names;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line[0] != '#') names.insert(line.substr(0, line.find_first_of(" \t\r")));
    return names;
}

static std::optional<Dataset> find_pets(const std::string& given) {
    const fs::path root = given, trimaps = root / "annotations" / "trimaps";
    if (!is_folder((root / "images").string()) || !is_folder(trimaps.string())) return {};
    FileSets files{.images_folder = (root / "images").string(), .masks_folder = trimaps.string()};
    files.images = named_files(images_in(files.images_folder), files.images_folder);
    files.masks = named_files(images_in(files.masks_folder), files.masks_folder);
    const auto train = names_of_list(root / "annotations" / "trainval.txt");
    const auto test = names_of_list(root / "annotations" / "test.txt");
    if (!train.empty())
        std::erase_if(files.images,
                      [&](const NamedFile& f) { return !train.contains(f.stem) && !test.contains(f.stem); });
    Dataset dataset;
    for (Sample& sample : samples_of_files(std::move(files), root, dataset))
        (test.contains(fs::path(sample.image_path).stem().string()) ? dataset.test : dataset.train).push_back(sample);
    dataset.mask_values = "2=0,1=1,3=2";
    dataset.class_names = {"background", "pet", "border"};
    dataset.layout = "Oxford Pets, images + annotations/trimaps";
    dataset.notes.push_back(
        "masks: the trimaps' values 2, 1, 3 are classes 0 background, 1 pet, 2 border; `mask-values` 2=0,1=1,3=ignore "
        "leaves "
        "the border out, ids-from-1 keeps their order");
    return dataset;
}

Layout pets() { return {"Oxford Pets", "images/ and annotations/trimaps/ of Oxford Pets", find_pets, true}; }

}  // namespace atrous::data::layout
