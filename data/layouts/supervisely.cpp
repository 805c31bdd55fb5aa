// Supervisely: meta.json, and folders with ann/*.json and img/*.
#include <fmt/core.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/paths.h"
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

void add_classes(const std::string& path, Dataset& dataset, std::map<std::string, uint8_t>& ids) {
    const Json meta = annotation::read_json(path);
    dataset.class_names = {"background"};
    dataset.palette = {0};
    for (const Json& c : annotation::array(meta, "classes", path)) {
        if (dataset.class_names.size() == size_t(max_classes))
            throw DataError(fmt::format("{}: more than {} classes", path, max_classes - 1));
        const std::string title = annotation::text(c, "title", path + ", classes");
        ids.emplace(title, uint8_t(dataset.class_names.size()));
        dataset.class_names.push_back(title);
        const std::string colour =
            c.contains("color") && c["color"].is_string() ? c["color"].get<std::string>() : "#ffffff";
        dataset.palette.push_back(uint32_t(std::strtoul(colour.c_str() + (colour[0] == '#'), nullptr, 16)) & 0xffffff);
    }
}

Drawing drawing_of(const Json& object, const std::string& place) {
    const std::string type = annotation::text(object, "geometryType", place);
    if (type == "bitmap") {
        const Json& bitmap = annotation::member(object, "bitmap", place);
        const Json& origin = annotation::array(bitmap, "origin", place);
        if (origin.size() != 2) throw DataError(place + ": a bitmap without its origin");
        return {.bitmap = bitmap_of_png(
                    inflate_zlib(from_base64(annotation::text(bitmap, "data", place), place), place), place),
                .x = int64_t(annotation::number(origin[0], place)),
                .y = int64_t(annotation::number(origin[1], place))};
    }
    if (type != "polygon" && type != "rectangle")
        throw DataError(
            fmt::format("{}: an object of kind '{}', which has no area; remove it or draw a polygon", place, type));
    const Json& points = annotation::member(object, "points", place);
    Ring outer = annotation::ring_of_pairs(annotation::array(points, "exterior", place), place);
    if (type == "rectangle" && outer.size() == 2)
        outer = {outer[0], {outer[1].x, outer[0].y}, outer[1], {outer[0].x, outer[1].y}};
    Drawing drawing{.rings = {outer}};
    if (points.contains("interior"))
        for (const Json& hole : annotation::array(points, "interior", place))
            drawing.rings.push_back(annotation::ring_of_pairs(hole, place));
    return drawing;
}

DrawnMask mask_of(const std::string& path, const std::map<std::string, uint8_t>& ids) {
    const Json file = annotation::read_json(path);
    DrawnMask mask;
    const Json& size = annotation::member(file, "size", path);
    mask.h = annotation::integer(size, "height", path), mask.w = annotation::integer(size, "width", path);
    size_t number = 0;
    for (const Json& object : annotation::array(file, "objects", path)) {
        const std::string place = fmt::format("{}, object {}", path, ++number);
        const std::string title = annotation::text(object, "classTitle", place);
        if (!ids.contains(title))
            throw DataError(
                fmt::format("{}: the class '{}' is not in meta.json; export the project again", place, title));
        mask.drawings.push_back(drawing_of(object, place));
        mask.drawings.back().id = ids.at(title);
    }
    return mask;
}

// The samples of one folder with ann/ and img/.
void add_folder(const fs::path& folder, const fs::path& root, const std::map<std::string, uint8_t>& ids,
                Dataset& dataset) {
    const std::string part = part_of(folder.lexically_relative(root).generic_string());
    auto& samples = part == "val" ? dataset.val : part == "test" ? dataset.test : dataset.train;
    for (const std::string& file : files_with_extension((folder / "ann").string(), ".json")) {
        const fs::path image = folder / "img" / fs::path(file).stem();
        if (!is_file(image.string()))
            throw DataError(
                fmt::format("{}: its image {} is not there; export the project with images", file, image.string()));
        samples.push_back({image.string(), file, sample_name(image, root), drawn_mask(mask_of(file, ids))});
    }
}

}  // namespace

static std::optional<Dataset> find_supervisely(const std::string& given) {
    const fs::path root = given;
    if (!is_file((root / "meta.json").string())) return {};
    std::vector<fs::path> folders;
    for (const std::string& name : names_in(given))
        if (is_folder((root / name / "ann").string()) && is_folder((root / name / "img").string()))
            folders.push_back(root / name);
    if (is_folder((root / "ann").string()) && is_folder((root / "img").string())) folders.push_back(root);
    if (folders.empty()) return {};
    Dataset dataset;
    std::map<std::string, uint8_t> ids;
    add_classes((root / "meta.json").string(), dataset, ids);
    for (const fs::path& folder : folders) add_folder(folder, root, ids, dataset);
    if (dataset.train.empty())
        throw DataError(given + ": no annotations of Supervisely in ann/; export the project again");
    dataset.mask_values = "ids";
    dataset.layout = "Supervisely, ann/ and img/";
    dataset.notes.push_back(fmt::format("masks: drawn from bitmaps and polygons, later objects cover; classes: {}",
                                        few_of(dataset.class_names)));
    return dataset;
}

Layout supervisely() { return {"Supervisely", "meta.json and */{ann,img}/ of Supervisely", find_supervisely, true}; }

}  // namespace atrous::data::layout
