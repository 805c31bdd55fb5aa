// YOLO: images/ and labels/ with polygons in text files, names in data.yaml.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/paths.h"
#include "data/class_names.h"
#include "data/drawn_mask.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/folder_pair.h"
#include "data/layouts/paired_samples.h"
#include "data/layouts/parts.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;

namespace {

std::vector<double> numbers_of(const std::string& line, const std::string& place) {
    std::vector<double> numbers;
    const char *at = line.data(), *const end = at + line.size();
    while (true) {
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
        if (at == end) return numbers;
        double value = 0;
        const auto [stop, error] = std::from_chars(at, end, value);
        if (error != std::errc()) throw DataError(fmt::format("{}: not a number; expected 'class x y x y …'", place));
        numbers.push_back(value);
        at = stop;
    }
}

DrawnMask mask_of(const std::string& path, size_t classes, int& highest) {
    DrawnMask mask;
    mask.relative = true;
    std::ifstream file(path);
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        const std::string place = fmt::format("{}:{}", path, number);
        const std::vector<double> n = numbers_of(line, place);
        if (n.empty()) continue;
        if (n.size() == 5) throw DataError(place + ": a box, not a polygon; export the labels for segmentation");
        if (n.size() < 7 || n.size() % 2 == 0)
            throw DataError(fmt::format("{}: {} numbers; expected 'class x y x y x y …'", place, n.size()));
        const double limit = classes > 0 ? double(classes) : double(max_classes - 1);
        if (!(n[0] >= 0 && n[0] < limit) || n[0] != double(int(n[0])))
            throw DataError(fmt::format("{}: class {:g}; expected one from 0 to {:g}, as data.yaml names them", place,
                                        n[0], limit - 1));
        highest = std::max(highest, int(n[0]));
        Ring ring;
        for (size_t i = 1; i + 1 < n.size(); i += 2) ring.push_back({n[i], n[i + 1]});
        mask.drawings.push_back({.id = uint8_t(n[0] + 1), .rings = {ring}});
    }
    return mask;
}

// The folders of a part: PART/{images,labels} or {images,labels}/PART; "" is {images,labels} itself.
std::optional<FolderPair> folders_of(const fs::path& root, const std::string& part) {
    for (const FolderPair& pair : {FolderPair{root / part / "images", root / part / "labels"},
                                   FolderPair{root / "images" / part, root / "labels" / part}})
        if (is_folder(pair.images.string()) && is_folder(pair.masks.string())) return pair;
    return {};
}

bool is_of_names(const fs::path& file) { return file.filename() == "classes.txt" || file.filename() == "labels.txt"; }

// Text files whose first line is numbers, and no images among them.
bool has_labels(const fs::path& folder) {
    if (!images_in(folder.string()).images.empty()) return false;
    for (const std::string& path : files_with_extension(folder.string(), ".txt")) {
        std::string line;
        std::getline(std::ifstream(path), line);
        if (!is_of_names(path) && !line.empty())
            return line.find_first_not_of("0123456789.eE+- \t\r") == std::string::npos;
    }
    return false;
}

struct Yolo {
    fs::path root;
    Dataset& dataset;
    std::vector<std::string> names;
    int highest = -1;
    size_t bare = 0;

    std::vector<Sample> samples_of(const FolderPair& pair) {
        std::vector<Sample> samples;
        std::set<fs::path> taken;
        const ImageList list = images_below(pair.images.string());
        refuse_unread(pair.images.string(), list.unread, list.images.size(), "images");
        say_skipped(list.skipped, dataset);
        for (const NamedFile& image : named_files(list, pair.images.string())) {
            const fs::path label = (pair.masks / image.folder / (image.stem + ".txt")).lexically_normal();
            if (is_file(label.string())) taken.insert(label);
            samples.push_back({image.path, label.string(), sample_name(image.path, root),
                               drawn_mask(mask_of(label.string(), names.size(), highest))});
        }
        if (samples.empty()) throw DataError(pair.images.string() + ": no images in this folder");
        bare += size_t(std::count_if(samples.begin(), samples.end(),
                                     [&](const Sample& sample) { return !taken.contains(sample.mask_path); }));
        say_left_over(pair, samples[0], taken);
        return samples;
    }

    // Label files that belong to no image; where all are so, their names are wrong.
    void say_left_over(const FolderPair& pair, const Sample& first, const std::set<fs::path>& taken) {
        std::vector<std::string> over;
        for (const fs::path path : files_with_extension(pair.masks.string(), ".txt"))
            if (!taken.contains(path.lexically_normal()) && !is_of_names(path))
                over.push_back(path.lexically_relative(pair.masks).string());
        if (taken.empty())
            throw DataError(fmt::format(
                "{}: no image of {} has a label file here (found: {}); that of {} is {}; rename the label files, or "
                "remove both folders",
                pair.masks.string(), pair.images.string(), over.empty() ? "none" : few_of(over),
                fs::path(first.image_path).filename().string(), fs::path(first.mask_path).filename().string()));
        if (!over.empty())
            dataset.warnings.push_back(fmt::format("{}: {} label files belong to no image and are left out: {}",
                                                   pair.masks.string(), over.size(), few_of(over)));
    }
};

std::vector<std::string> names_of(const fs::path& root, Dataset& dataset) {
    for (const fs::path& folder : {root, root / "labels"})
        if (const auto names = class_names_in(folder.string(), dataset.notes)) return names->names;
    return {};
}

std::optional<FolderPair> first_of(const fs::path& root, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
        if (const auto pair = folders_of(root, part)) return pair;
    return {};
}

}  // namespace

static std::optional<Dataset> find_yolo(const std::string& given) {
    const fs::path root = given;
    const auto train = first_of(root, {"train", "train2017", "training", ""});
    if (!train || !has_labels(train->masks)) return {};
    Dataset dataset;
    Yolo yolo{root, dataset, names_of(root, dataset)};
    dataset.train = yolo.samples_of(*train);
    if (const auto val = first_of(root, {"val", "valid", "val2017", "validation"})) dataset.val = yolo.samples_of(*val);
    if (const auto test = first_of(root, {"test", "test2017"}); test && has_labels(test->masks))
        dataset.test = yolo.samples_of(*test);
    dataset.class_names = {"background"};
    for (const std::string& name : yolo.names) dataset.class_names.push_back(name);
    for (int id = int(yolo.names.size()); id <= yolo.highest; ++id)
        dataset.class_names.push_back(fmt::format("class {}", id));
    dataset.mask_values = "ids";
    dataset.layout = "YOLO, " + text_of(*train, root);
    dataset.notes.push_back(
        fmt::format("masks: drawn from polygons, a pixel is inside where its centre is, later lines cover; class i of "
                    "the labels is {} "
                    "here, 0 is background: {}",
                    "i + 1", few_of(dataset.class_names)));
    if (yolo.bare > 0)
        dataset.notes.push_back(fmt::format("{} images have no label file and are background", yolo.bare));
    return dataset;
}

Layout yolo() { return {"YOLO", "images/ and labels/*.txt with polygons of YOLO, data.yaml", find_yolo, true}; }

}  // namespace atrous::data::layout
