#include "data/layouts/given_folders.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/glob.h"
#include "data/layouts/paired_samples.h"

namespace atrous::data {

namespace {

struct Part {
    std::string images, masks;                  // as they are given
    std::string images_setting, masks_setting;  // "val-images", …
};

// What the masks' glob takes out of the images' folder is no image.
void remove_masks(FileSets& files) {
    std::set<std::string> masks;
    for (const NamedFile& mask : files.masks) masks.insert(mask.path);
    std::erase_if(files.images, [&](const NamedFile& image) { return masks.contains(image.path); });
}

std::vector<Sample> samples_of(const Part& part, const DatasetOptions& o, bool shared, Dataset& dataset) {
    const GivenFiles images = given_files(o.root, part.images, part.images_setting);
    const GivenFiles masks = given_files(o.root, part.masks, part.masks_setting);
    FileSets files{.images_folder = images.base, .masks_folder = masks.base};
    files.images = named_files(images.list, images.base);
    files.masks = named_files(masks.list, masks.base);
    files.skipped = images.list.skipped;
    files.unread_images = images.list.unread;
    if (images.base != masks.base) files.unread_masks = masks.list.unread;
    files.masks_are_shared = shared;
    files.bands = parse_band_rule(o.bands);
    if (images.list.images == masks.list.images) {
        const std::vector<NamedFile> all = std::move(files.images);
        if (!tell_apart(all, files.images, files.masks))
            throw DataError(fmt::format(
                "`{}` and `{}` are the same {} files, and no ending such as _mask tells them apart; give globs, "
                "such as '*.jpg' and '*_mask.png'",
                part.images_setting, part.masks_setting, all.size()));
    } else {
        remove_masks(files);
    }
    dataset.layout += fmt::format("{}{} + {}", dataset.layout.empty() ? "" : ", ", part.images, part.masks);
    return samples_of_files(std::move(files), o.root, dataset);
}

// A part other than the training's may share its masks.
void add_part(Part part, const DatasetOptions& o, std::vector<Sample>& samples, Dataset& dataset) {
    if (part.images.empty()) {
        if (!part.masks.empty())
            throw UsageError(
                fmt::format("`{}` belongs to `{}`, which is not given", part.masks_setting, part.images_setting));
        return;
    }
    const bool shared = part.masks.empty();
    if (shared) part.masks = o.masks;
    samples = samples_of(part, o, shared, dataset);
}

// What the other parts name does not train, as with lists.
void keep_parts_apart(Dataset& dataset) {
    std::set<std::string> others;
    for (const auto* part : {&dataset.val, &dataset.test})
        for (const Sample& sample : *part) others.insert(sample.image_path);
    const size_t moved = std::erase_if(dataset.train, [&](const Sample& s) { return others.contains(s.image_path); });
    if (moved > 0)
        dataset.notes.push_back(
            fmt::format("{} of the images that `images` takes are in another part, and do not train", moved));
}

}  // namespace

bool has_given_folders(const DatasetOptions& o) {
    for (const auto* text : {&o.images, &o.masks, &o.val_images, &o.val_masks, &o.test_images, &o.test_masks})
        if (!text->empty()) return true;
    return false;
}

Dataset dataset_of_given_folders(const DatasetOptions& o) {
    if (o.images.empty() || o.masks.empty())
        throw UsageError(
            fmt::format("`images` and `masks` belong together: give the {} too, a folder or a glob below {}",
                        o.images.empty() ? "images" : "masks", o.root));
    Dataset dataset;
    const bool others_share =
        (!o.val_images.empty() && o.val_masks.empty()) || (!o.test_images.empty() && o.test_masks.empty());
    dataset.train = samples_of({o.images, o.masks, "images", "masks"}, o, others_share, dataset);
    add_part({o.val_images, o.val_masks, "val-images", "val-masks"}, o, dataset.val, dataset);
    add_part({o.test_images, o.test_masks, "test-images", "test-masks"}, o, dataset.test, dataset);
    keep_parts_apart(dataset);
    return dataset;
}

}  // namespace atrous::data
