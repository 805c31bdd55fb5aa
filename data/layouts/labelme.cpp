// LabelMe: a JSON file with polygons beside each image.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/error.h"
#include "base/paths.h"
#include "data/class_names.h"
#include "data/drawn_mask.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/annotation_file.h"
#include "data/layouts/folder_pair.h"
#include "data/layouts/parts.h"

namespace atrous::data::layout {

namespace fs = std::filesystem;
using annotation::Json;

namespace {

// The first few KiB tell, for the image itself may be in the file.
bool is_labelme(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string head(1 << 16, '\0');
    file.read(head.data(), std::streamsize(head.size()));
    head.resize(size_t(file.gcount()));
    return head.find("\"shapes\"") != std::string::npos &&
           (head.find("\"imagePath\"") != std::string::npos || head.find("\"imageData\"") != std::string::npos);
}

struct Labelled {
    std::string file;
    fs::path image;
    Json content;
};

fs::path image_of(const std::string& file, const Json& content) {
    const fs::path folder = fs::path(file).parent_path();
    if (content.contains("imagePath") && content["imagePath"].is_string()) {
        std::string name = content["imagePath"].get<std::string>();
        std::replace(name.begin(), name.end(), '\\', '/');
        for (const fs::path& path : {folder / name, folder / fs::path(name).filename()})
            if (is_file(path.string())) return path;
    }
    for (const char* extension : {".jpg", ".png", ".jpeg", ".JPG", ".bmp", ".tif", ".webp"})
        if (const fs::path path = fs::path(file).replace_extension(extension); is_file(path.string())) return path;
    throw DataError(fmt::format("{}: its image is not beside it; put it there under the name of the JSON file", file));
}

std::vector<Ring> rings_of(const std::string& type, const Ring& points, const std::string& place) {
    const size_t least = type == "polygon" ? 3 : 2;
    if (points.size() < least)
        throw DataError(fmt::format("{}: a {} of {} points; draw it again or remove it", place, type, points.size()));
    if (type == "rectangle") return {{points[0], {points[1].x, points[0].y}, points[1], {points[0].x, points[1].y}}};
    if (type == "circle") return {circle(points[0], std::hypot(points[1].x - points[0].x, points[1].y - points[0].y))};
    return {points};
}

class Reader {
 public:
    std::map<std::string, uint8_t> ids{{"_background_", 0}, {"__ignore__", uint8_t(ignored_class)}};
    std::set<std::string> skipped;  // kinds of shapes that have no area

    DrawnMask mask_of(const Labelled& from) {
        DrawnMask mask;
        if (from.content.contains("imageHeight") && from.content["imageHeight"].is_number()) {
            mask.h = annotation::integer(from.content, "imageHeight", from.file);
            mask.w = annotation::integer(from.content, "imageWidth", from.file);
        }
        size_t number = 0;
        for (const Json& shape : annotation::array(from.content, "shapes", from.file))
            add(shape, fmt::format("{}, shape {}", from.file, ++number), mask);
        return mask;
    }

 private:
    void add(const Json& shape, const std::string& place, DrawnMask& mask) {
        const uint8_t id = ids.at(annotation::text(shape, "label", place));
        const std::string type =
            shape.contains("shape_type") ? annotation::text(shape, "shape_type", place) : "polygon";
        const Ring points = annotation::ring_of_pairs(annotation::array(shape, "points", place), place);
        if (type == "mask") {
            if (points.empty()) throw DataError(place + ": a mask without its place; draw it again");
            const Image bitmap = bitmap_of_png(from_base64(annotation::text(shape, "mask", place), place), place);
            mask.drawings.push_back({.id = id, .bitmap = bitmap, .x = int64_t(points[0].x), .y = int64_t(points[0].y)});
        } else if (type == "polygon" || type == "rectangle" || type == "circle") {
            mask.drawings.push_back({.id = id, .rings = rings_of(type, points, place)});
        } else {
            skipped.insert(type);
        }
    }
};

// The classes are those of a file of names, else all labels in the order of the alphabet.
std::vector<std::string> number_labels(const fs::path& root, const std::vector<Labelled>& all, Reader& reader,
                                       std::vector<std::string>& notes) {
    std::set<std::string> labels;
    for (const Labelled& from : all)
        for (const Json& shape : annotation::array(from.content, "shapes", from.file))
            labels.insert(annotation::text(shape, "label", from.file + ", shapes"));
    std::vector<std::string> names{"background"};
    const auto file = class_names_in(root.string(), notes);
    if (file)
        for (const std::string& name : file->names)
            if (name != "background" && !reader.ids.contains(name)) names.push_back(name);
    if (!file)
        for (const std::string& label : labels)
            if (!reader.ids.contains(label)) names.push_back(label);
    if (names.size() > size_t(max_classes))
        throw DataError(
            fmt::format("{}: {} labels; at most {} are trained", root.string(), names.size(), max_classes - 1));
    for (size_t i = 0; i < names.size(); ++i) reader.ids.emplace(names[i], uint8_t(i));
    for (const std::string& label : labels)
        if (!reader.ids.contains(label))
            throw DataError(
                fmt::format("{}: does not name the label '{}', which shapes have; add it", file->file, label));
    return names;
}

void warn_of_images(const fs::path& root, const std::vector<Labelled>& all, Dataset& dataset) {
    std::set<std::string> labelled;
    for (const Labelled& from : all) labelled.insert(from.image.string());
    std::vector<std::string> bare;
    for (const std::string& path : images_below(root.string()).images)
        if (!labelled.contains(path)) bare.push_back(fs::path(path).filename().string());
    if (!bare.empty())
        dataset.warnings.push_back(fmt::format("{}: {} images have no JSON file and are left out: {}", root.string(),
                                               bare.size(), few_of(bare)));
}

}  // namespace

static std::optional<Dataset> find_labelme(const std::string& given) {
    const fs::path root = given;
    const std::vector<std::string> files = files_with_extension(given, ".json");
    if (files.empty() || !is_labelme(files[0])) return {};
    std::vector<Labelled> all;
    for (const std::string& file : files) {
        Json content = annotation::read_json(file);
        if (!content.is_object() || !content.contains("shapes")) continue;  // of another program
        content.erase("imageData");
        all.push_back({file, image_of(file, content), std::move(content)});
    }
    Dataset dataset;
    Reader reader;
    dataset.class_names = number_labels(root, all, reader, dataset.notes);
    for (const Labelled& from : all) {
        const std::string part = part_of(from.image.lexically_relative(root).generic_string());
        auto& samples = part == "val" ? dataset.val : part == "test" ? dataset.test : dataset.train;
        samples.push_back(
            {from.image.string(), from.file, sample_name(from.image, root), drawn_mask(reader.mask_of(from))});
    }
    if (dataset.class_names.size() < 2)
        throw DataError(given +
                        ": no shape of its JSON files has a label, so there is nothing to learn; annotate some");
    warn_of_images(root, all, dataset);
    if (!reader.skipped.empty())
        dataset.warnings.push_back(fmt::format("{}: shapes of these kinds have no area and are left out: {}", given,
                                               few_of({reader.skipped.begin(), reader.skipped.end()})));
    dataset.mask_values = "ids";
    dataset.layout = "LabelMe, a JSON file an image";
    dataset.notes.push_back(
        fmt::format("masks: drawn from shapes, a pixel is inside where its centre is, later shapes cover; classes: {}",
                    few_of(dataset.class_names)));
    return dataset;
}

Layout labelme() { return {"LabelMe", "X.jpg and X.json of LabelMe", find_labelme, true}; }

}  // namespace atrous::data::layout
