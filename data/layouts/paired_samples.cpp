#include "data/layouts/paired_samples.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "data/few.h"
#include "data/layouts/banded_files.h"
#include "data/layouts/folder_pair.h"
#include "data/unread.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

std::string key_of(const NamedFile& file) { return file.folder.empty() ? file.stem : file.folder + "/" + file.stem; }
std::string name_of(const NamedFile& file) { return file.stem + file.extension; }

// In the order of their names; two files of one stem would make the pairing a matter of luck.
void sort_files(std::vector<NamedFile>& files) {
    std::stable_sort(files.begin(), files.end(), [](const NamedFile& a, const NamedFile& b) {
        return std::pair(a.folder, a.stem) < std::pair(b.folder, b.stem);
    });
    for (size_t i = 1; i < files.size(); ++i)
        if (key_of(files[i]) == key_of(files[i - 1]))
            throw DataError(fmt::format("{} and {} differ only in their extension; keep one of them", files[i - 1].path,
                                        name_of(files[i])));
}

// Files that were skipped, and masks that are not among those `taken`, by their paths.
void say_what_is_left(const FileSets& files, const std::set<std::string>& taken, Dataset& dataset) {
    say_skipped(files.skipped, dataset);
    if (files.masks_are_shared) return;
    std::vector<std::string> over;
    for (const NamedFile& mask : files.masks)
        if (!taken.contains(mask.path)) over.push_back((mask.folder.empty() ? "" : mask.folder + "/") + name_of(mask));
    if (!over.empty())
        dataset.warnings.push_back(
            fmt::format("{}: {} masks have no image: {}", files.masks_folder, over.size(), few_of(over)));
}

// The sample of an image of the set, whose mask is `mask` or comes from there.
Sample sample_of(const FileSets& files, const NamedFile& image, const std::string& mask, const fs::path& root) {
    const fs::path named =
        image.bands.empty() ? fs::path(image.path) : fs::path(files.images_folder) / image.folder / name_of(image);
    return {image.path, mask, sample_name(named, root), nullptr, image.bands};
}

Sample joined(Sample sample, std::vector<MaskFile> masks) {
    sample.mask = joined_files(std::move(masks));
    return sample;
}

// masks/NAME/*.png for every image NAME.
std::vector<Sample> by_object_folders(const FileSets& files, const fs::path& root, Dataset& dataset) {
    std::map<std::string, std::vector<MaskFile>> objects;
    for (const NamedFile& mask : files.masks)
        if (!mask.folder.empty()) objects[mask.folder].push_back({mask.path});
    std::vector<Sample> samples;
    std::set<std::string> taken;
    for (const NamedFile& image : files.images) {
        const auto at = objects.find(key_of(image));
        if (at == objects.end()) return {};
        for (const MaskFile& mask : at->second) taken.insert(mask.path);
        const std::string folder = (fs::path(files.masks_folder) / at->first).string();
        samples.push_back(joined(sample_of(files, image, folder, root), at->second));
    }
    dataset.notes.push_back(
        fmt::format("{}: a folder of masks for each image; they are joined, a pixel of any of them is class 1",
                    files.masks_folder));
    dataset.mask_values = "ids";
    say_what_is_left(files, taken, dataset);
    return samples;
}

struct ClassFolders {
    std::vector<std::string> classes;                                 // the folders, sorted
    std::map<std::string, std::map<std::string, std::string>> masks;  // by class and by the image's key
};

ClassFolders class_folders(const std::vector<NamedFile>& masks) {
    ClassFolders found;
    for (const NamedFile& mask : masks) {
        if (mask.folder.empty()) return {};
        const size_t end = std::min(mask.folder.find('/'), mask.folder.size());
        const std::string rest = end < mask.folder.size() ? mask.folder.substr(end + 1) + "/" : "";
        found.masks[mask.folder.substr(0, end)].emplace(rest + mask.stem, mask.path);
    }
    for (const auto& [name, files] : found.masks) found.classes.push_back(name);
    return found;
}

// "x_mask" of "x_mask_1"; nothing where no number ends the name.
std::string without_number(const std::string& stem) {
    const size_t end = stem.find_last_not_of("0123456789");
    const bool numbered = end != std::string::npos && end + 1 < stem.size() && (stem[end] == '_' || stem[end] == '-');
    return numbered ? stem.substr(0, end) : "";
}

// Joins NAME_mask_1 and the like to NAME_mask, which the pairing found.
std::vector<Sample> by_numbers(const FileSets& files, const Pairing& pairing, const fs::path& root, Dataset& dataset) {
    std::map<std::string, std::vector<MaskFile>> numbered;
    const std::set<size_t> taken(pairing.mask_of.begin(), pairing.mask_of.end());
    for (size_t i = 0; i < files.masks.size(); ++i)
        if (!taken.contains(i)) {
            const NamedFile& mask = files.masks[i];
            if (without_number(mask.stem).empty()) return {};
            numbered[(mask.folder.empty() ? "" : mask.folder + "/") + without_number(mask.stem)].push_back({mask.path});
        }
    if (numbered.empty()) return {};
    std::vector<Sample> samples;
    for (size_t i = 0; i < files.images.size(); ++i) {
        const NamedFile& first = files.masks[pairing.mask_of[i]];
        std::vector<MaskFile> all{{first.path}};
        if (auto more = numbered.extract(key_of(first)))
            all.insert(all.end(), more.mapped().begin(), more.mapped().end());
        samples.push_back(joined(sample_of(files, files.images[i], first.path, root), std::move(all)));
    }
    if (!numbered.empty()) return {};  // some belong to no image
    dataset.mask_values = "ids";
    say_skipped(files.skipped, dataset);
    dataset.notes.push_back(
        fmt::format("{}: some images have several numbered masks; they are joined, a pixel of any of "
                    "them is class 1",
                    files.masks_folder));
    return samples;
}

// A class without any pixel would be the name of a folder that went wrong.
void refuse_empty_class(const FileSets& files, const ClassFolders& found, const std::set<std::string>& taken) {
    for (const auto& [name, masks] : found.masks) {
        if (std::any_of(masks.begin(), masks.end(), [&](const auto& mask) { return taken.contains(mask.second); }))
            continue;
        throw DataError(fmt::format(
            "{}: none of its {} masks has the name of an image of {}, such as {}; rename them, "
            "or move the folder away",
            (fs::path(files.masks_folder) / name).string(), masks.size(), files.images_folder, masks.begin()->first));
    }
}

// The names of the classes by id: the folders in the order of their names, or as an earlier part of the set had them.
std::vector<std::string> classes_of_folders(const FileSets& files, const ClassFolders& found, const Dataset& dataset) {
    std::vector<std::string> names = dataset.class_names;
    if (names.empty()) {
        names = {"background"};
        for (const std::string& folder : found.classes)
            if (folder != names[0]) names.push_back(folder);
    }
    for (const std::string& folder : found.classes)
        if (std::find(names.begin(), names.end(), folder) == names.end())
            throw DataError(
                fmt::format("{}: the folder {} is no class of the samples that train, which have {}; rename it",
                            files.masks_folder, folder, few_of(names)));
    return names;
}

// The image's masks in the folders of classes, whose ids are their places among the names.
std::vector<MaskFile> masks_by_class(const NamedFile& image, const ClassFolders& found,
                                     const std::vector<std::string>& names) {
    std::vector<MaskFile> parts;
    for (size_t id = 0; id < names.size(); ++id) {
        const auto folder = found.masks.find(names[id]);
        if (folder == found.masks.end()) continue;
        for (const std::string& suffix : mask_suffixes())
            if (const auto mask = folder->second.find(key_of(image) + suffix); mask != folder->second.end()) {
                parts.push_back({mask->second, uint8_t(id)});
                break;
            }
    }
    return parts;
}

// masks/CLASS/NAME.png for every image NAME, of at least two classes.
std::vector<Sample> by_class_folders(const FileSets& files, const fs::path& root, Dataset& dataset) {
    const ClassFolders found = class_folders(files.masks);
    const bool first = dataset.class_names.empty();
    if (found.classes.size() < (first ? 2 : 1) || found.classes.size() >= size_t(max_classes)) return {};
    std::set<std::string> taken;
    for (const NamedFile& image : files.images) {
        const std::vector<MaskFile> parts = masks_by_class(image, found, found.classes);
        if (parts.empty()) return {};
        for (const MaskFile& part : parts) taken.insert(part.path);
    }
    // Where each image has one mask, the folders are no classes.
    if (first && taken.size() <= files.images.size()) return {};
    if (!files.masks_are_shared) refuse_empty_class(files, found, taken);
    const std::vector<std::string> names = classes_of_folders(files, found, dataset);
    std::vector<Sample> samples;
    for (const NamedFile& image : files.images)
        samples.push_back(
            joined(sample_of(files, image, files.masks_folder, root), masks_by_class(image, found, names)));
    say_what_is_left(files, taken, dataset);
    dataset.mask_values = "ids";
    dataset.class_names = names;
    if (!first) return samples;
    std::string text;
    for (size_t id = 1; id < names.size(); ++id) text += fmt::format("{}{} {}", id > 1 ? ", " : "", id, names[id]);
    dataset.notes.push_back(
        fmt::format("{}: a folder of masks for each class: {}; they are joined, and where they overlap the later one "
                    "covers. If the "
                    "folders are no classes, name one with `masks`",
                    files.masks_folder, text));
    return samples;
}

[[noreturn]] void refuse_alone(const FileSets& files, const Pairing& pairing) {
    std::vector<std::string> alone, over;
    std::set<size_t> taken(pairing.mask_of.begin(), pairing.mask_of.end());
    for (size_t i = 0; i < files.images.size(); ++i)
        if (pairing.mask_of[i] == Pairing::none) alone.push_back(name_of(files.images[i]));
    for (size_t i = 0; i < files.masks.size(); ++i)
        if (!taken.contains(i)) over.push_back(name_of(files.masks[i]));
    const std::string near = over.empty() ? "; no mask is left over"
                                          : fmt::format("; of {} masks left over, {} is nearest to {}", over.size(),
                                                        nearest_name(alone[0], over), alone[0]);
    throw DataError(fmt::format(
        "{}: {} of {} images have no mask in {}: {}; a mask has its image's name, also with _mask or _label "
        "appended{}; "
        "remove the images without a mask, or name what trains with `images` and `masks` (globs) or `train-list`{}",
        files.images_folder, alone.size(), files.images.size(), files.masks_folder, few_of(alone), near,
        files.skipped.empty() ? "" : "; left out: " + few_of(files.skipped)));
}

std::vector<Sample> samples_of_pairing(const FileSets& files, const Pairing& pairing, const fs::path& root) {
    std::vector<Sample> samples;
    for (size_t i = 0; i < files.images.size(); ++i)
        samples.push_back(sample_of(files, files.images[i], files.masks[pairing.mask_of[i]].path, root));
    return samples;
}

}  // namespace

void refuse_unread(const std::string& folder, const std::vector<std::string>& unread, size_t read, const char* what) {
    if (unread.empty()) return;
    throw DataError(
        fmt::format("{}: {} of {} {} are of a kind that is not read: {}; convert them to PNG, or move them out "
                    "of the folder",
                    folder, unread.size(), unread.size() + read, what, text_of_unread(unread)));
}

void say_skipped(const std::vector<std::string>& skipped, Dataset& dataset) {
    if (!skipped.empty())
        dataset.warnings.push_back(
            fmt::format("{} files cannot be looked at and are left out: {}", skipped.size(), few_of(skipped)));
}

std::vector<NamedFile> named_files(const ImageList& list, const std::string& base) {
    std::vector<NamedFile> files;
    for (const std::string& path : list.images) files.push_back(named_file(path, base));
    return files;
}

std::vector<Sample> samples_of_files(FileSets files, const fs::path& root, Dataset& dataset) {
    refuse_unread(files.images_folder, files.unread_images, files.images.size(), "images");
    refuse_unread(files.masks_folder, files.unread_masks, files.masks.size(), "masks");
    if (files.images.empty())
        throw DataError(fmt::format("{}: no images in this folder; put JPEG or PNG files there{}", files.images_folder,
                                    files.skipped.empty() ? "" : "; left out: " + few_of(files.skipped)));
    join_bands(files, dataset);
    sort_files(files.images);
    sort_files(files.masks);
    for (const auto& way : {by_object_folders, by_class_folders})
        if (auto samples = way(files, root, dataset); !samples.empty()) return samples;
    const Pairing pairing = pair_names(files.images, files.masks, files.masks_folder);
    if (!pairing.complete()) refuse_alone(files, pairing);
    if (!pairing.rule.empty())
        dataset.notes.push_back(
            fmt::format("{}: paired by name, {}; `train-list` or globs in `images` and `masks` say "
                        "otherwise",
                        files.masks_folder, pairing.rule));
    if (files.numbered_are_joined)
        if (auto samples = by_numbers(files, pairing, root, dataset); !samples.empty()) return samples;
    std::set<std::string> taken;
    for (const size_t mask : pairing.mask_of) taken.insert(files.masks[mask].path);
    say_what_is_left(files, taken, dataset);
    return samples_of_pairing(files, pairing, root);
}

bool tell_apart(const std::vector<NamedFile>& files, std::vector<NamedFile>& images, std::vector<NamedFile>& masks) {
    static const std::string endings[] = {"_mask",         "_masks",      "_label",       "_labels", "_gt",  "_seg",
                                          "_segmentation", "_annotation", "_groundtruth", "_L",      "-mask"};
    for (const std::string& ending : endings) {
        images.clear(), masks.clear();
        std::vector<NamedFile> numbered;
        for (const NamedFile& file : files) {
            const bool more = without_number(file.stem).ends_with(ending);
            (more ? numbered : file.stem.ends_with(ending) ? masks : images).push_back(file);
        }
        if (images.empty() || masks.empty()) continue;
        try {
            const bool complete = pair_names(masks, images, "").complete();
            masks.insert(masks.end(), numbered.begin(), numbered.end());
            if (complete) return true;  // every mask has its image
        } catch (const DataError&) {    // several images would fit
        }
    }
    return false;
}

}  // namespace atrous::data
