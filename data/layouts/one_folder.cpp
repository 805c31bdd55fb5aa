// Images and masks in one folder, told apart by how their names end (Roboflow, BUSI, Carvana, DeepGlobe); folders within
// it, such as train/ and valid/, likewise.
#include <fmt/core.h>

#include <map>

#include "base/error.h"
#include "data/class_names.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/paired_samples.h"
#include "data/layouts/parts.h"
#include "data/unread.h"

namespace atrous::data::layout {

namespace {

std::vector<Sample> samples_of(const std::vector<NamedFile>& all, const std::string& root, Dataset& dataset) {
    FileSets files{.images_folder = root, .masks_folder = root};
    files.numbered_are_joined = true;
    return tell_apart(all, files.images, files.masks) ? samples_of_files(std::move(files), root, dataset)
                                                      : std::vector<Sample>{};
}

}  // namespace

static std::optional<Dataset> find_one_folder(const std::string& root) {
    const ImageList list = images_below(root);
    std::map<std::string, std::vector<NamedFile>> parts;
    for (const NamedFile& file : named_files(list, root)) parts[part_of(file.folder)].push_back(file);
    std::vector<NamedFile> images, masks;
    if (!tell_apart(parts["train"], images, masks)) return {};
    if (!list.unread.empty())
        throw DataError(fmt::format("{}: {} images are of a kind that is not read: {}; convert them to PNG", root,
                                    list.unread.size(), text_of_unread(list.unread)));
    Dataset dataset;
    dataset.train = samples_of(parts["train"], root, dataset);
    dataset.val = samples_of(parts["val"], root, dataset);
    dataset.test = samples_of(parts["test"], root, dataset);
    for (const char* part : {"val", "test"})
        if (const auto& samples = part == std::string("val") ? dataset.val : dataset.test;
            samples.empty() && !parts[part].empty())
            dataset.warnings.push_back(fmt::format("{}: the {} images of the part '{}' have no masks and are left out",
                                                   root, parts[part].size(), part));
    dataset.layout = "images and masks in one folder, told apart by the ending of their names";
    return dataset;
}

Layout one_folder() {
    return {"one folder", "X.jpg and X_mask.png in one folder; train/, valid/ and test/ likewise", find_one_folder};
}

}  // namespace atrous::data::layout
