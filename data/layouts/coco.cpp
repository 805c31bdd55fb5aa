// COCO: annotations/instances_train2017.json and train2017/, or _annotations.coco.json among the images (Roboflow).
#include "data/layouts/coco.h"

#include <fmt/core.h>

#include <filesystem>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

namespace {

struct Annotations {
    fs::path file;
    std::string part;  // "train", "val", "test"
};

// By a whole word, as in "val2017"; "latest" is no part.
std::string part_of_name(const std::string& name) {
    std::string word;
    for (const char c : io::lower_case(name) + '.') {
        if (c >= 'a' && c <= 'z') {
            word += c;
            continue;
        }
        if (word == "val" || word == "valid" || word == "validation") return "val";
        if (word == "test") return "test";
        word.clear();
    }
    return "train";
}

std::vector<Annotations> annotations_of(const fs::path& root) {
    std::vector<Annotations> found;
    const auto add = [&](const fs::path& file, const std::string& part) {
        if (is_file(file.string())) found.push_back({file, part});
    };
    for (const char* part : {"train", "valid", "val", "test"})
        add(root / part / "_annotations.coco.json", part == std::string("valid") ? "val" : part);
    if (!found.empty()) return found;
    if (is_folder((root / "annotations").string()))
        for (const std::string& name : names_in((root / "annotations").string()))
            if (name.starts_with("instances_") && name.ends_with(".json"))
                add(root / "annotations" / name, part_of_name(name.substr(10)));
    const auto pair = find_pair(root);
    if (!found.empty() || (pair && !images_in(pair->masks.string()).images.empty())) return found;  // masks are drawn
    for (const char* name :
         {"_annotations.coco.json", "annotations.json", "instances.json", "coco.json", "result.json"})
        if (found.empty()) add(root / name, "train");
    return found;
}

// Where an image lies whose name the file says; files name it with or without its folder.
fs::path find_image(const fs::path& root, const Annotations& from, const std::string& name) {
    const std::string stem = from.file.stem().string();
    const std::string folder = stem.starts_with("instances_") ? stem.substr(10) : stem;
    const fs::path base = fs::path(name).filename();
    for (const fs::path& path :
         {from.file.parent_path() / name, root / name, root / folder / name, root / "images" / name,
          root / "images" / folder / name, root / from.part / name, root / "images" / base, root / base})
        if (is_file(path.string())) return path;
    return from.file.parent_path() / name;
}

std::vector<Sample> samples_of(const fs::path& root, const Annotations& from, Dataset& dataset, bool& annotated) {
    const std::vector<uint8_t> bytes = read_file(from.file.string());
    CocoFile coco = parse_coco({bytes.begin(), bytes.end()}, from.file.string(), dataset.class_names);
    dataset.class_names = coco.names;
    std::vector<Sample> samples;
    std::vector<std::string> missing;
    size_t bare = 0;
    for (CocoFile::Image& image : coco.images) {
        const fs::path path = find_image(root, from, image.file);
        if (!is_file(path.string())) missing.push_back(image.file);
        bare += image.mask.drawings.empty();
        annotated |= !image.mask.drawings.empty();
        samples.push_back({path.string(), fmt::format("{}, {}", from.file.string(), image.file),
                           sample_name(path, root), drawn_mask(std::move(image.mask))});
    }
    if (!missing.empty())
        throw DataError(fmt::format("{}: {} of {} images are not there: {}; put them beside the file or into {}",
                                    from.file.string(), missing.size(), samples.size(), few_of(missing),
                                    (root / "images").string()));
    if (samples.empty()) throw DataError(from.file.string() + ": names no images");
    if (bare > 0)
        dataset.notes.push_back(fmt::format("{}: {} of {} images have no annotation and are background",
                                            from.file.string(), bare, samples.size()));
    return samples;
}

}  // namespace

static std::optional<Dataset> find_coco(const std::string& given) {
    const fs::path root = given;
    const std::vector<Annotations> all = annotations_of(root);
    if (all.empty()) return {};
    Dataset dataset;
    bool any_annotation = false;
    for (const Annotations& from : all) {
        auto& part = from.part == "val" ? dataset.val : from.part == "test" ? dataset.test : dataset.train;
        for (Sample& sample : samples_of(root, from, dataset, any_annotation)) part.push_back(std::move(sample));
        dataset.layout += (dataset.layout.empty() ? "COCO, " : ", ") + from.file.lexically_relative(root).string();
    }
    if (dataset.train.empty()) return {};
    if (dataset.class_names.empty() || !any_annotation)
        throw DataError(
            fmt::format("{}: no image has an annotation, so there is nothing to learn; export the data set again",
                        all[0].file.string()));
    dataset.mask_values = "ids";
    dataset.notes.push_back(
        "masks: drawn from polygons, a pixel is inside where its centre is; objects of one class are joined, and where "
        "classes overlap the later annotation covers");
    return dataset;
}

Layout coco() { return {"COCO", "_annotations.coco.json, or annotations/instances_*.json of COCO", find_coco, true}; }

}  // namespace atrous::data::layout
