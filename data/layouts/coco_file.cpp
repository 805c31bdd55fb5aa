#include "data/layouts/coco.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/few.h"
#include "data/layouts/annotation_file.h"

namespace atrous::data {

using annotation::Json;

namespace {

using Ids = std::map<int64_t, uint8_t>;

void add_categories(const Json& file, const std::string& path, Ids& ids, std::vector<std::string>& names) {
    std::map<int64_t, const Json*> categories;
    for (const Json& c : annotation::array(file, "categories", path))
        categories.emplace(annotation::integer(c, "id", path + ", categories"), &c);
    std::set<int64_t> used;
    for (const Json& a : annotation::array(file, "annotations", path))
        used.insert(annotation::integer(a, "category_id", path + ", annotations"));
    names = {"background"};
    for (const auto& [id, category] : categories) {
        const bool of_no_kind = category->contains("supercategory") && (*category)["supercategory"] == "none";
        if (names.size() == 1 && of_no_kind && !used.contains(id) && categories.size() > 1) continue;
        if (names.size() == size_t(max_classes))
            throw DataError(
                fmt::format("{}: {} categories; at most {} are trained", path, categories.size(), max_classes - 1));
        ids[id] = uint8_t(names.size());
        names.push_back(annotation::text(*category, "name", path + ", categories"));
    }
    if (ids.empty()) throw DataError(path + ": no categories; export the annotations again");
}

Ring ring_of_numbers(const Json& numbers, const std::string& place) {
    if (!numbers.is_array() || numbers.size() < 6 || numbers.size() % 2)
        throw DataError(place + ": a polygon of fewer than three points, or of an odd count of numbers");
    Ring ring;
    for (size_t i = 0; i < numbers.size(); i += 2)
        ring.push_back({annotation::number(numbers[i], place), annotation::number(numbers[i + 1], place)});
    return ring;
}

std::string runs_of(const Json& segmentation, const DrawnMask& mask, const std::string& place) {
    const Json& size = annotation::array(segmentation, "size", place);
    if (size.size() != 2 || annotation::number(size[0], place) != double(mask.h) ||
        annotation::number(size[1], place) != double(mask.w))
        throw DataError(fmt::format("{}: runs of another size than their image, {}x{}", place, mask.w, mask.h));
    const Json& counts = annotation::member(segmentation, "counts", place);
    std::vector<int64_t> list;
    if (counts.is_string()) {
        list = counts_of_text(counts.get<std::string>(), place);
    } else if (counts.is_array()) {
        for (const Json& n : counts) list.push_back(int64_t(std::clamp(annotation::number(n, place), -1.0, 1e12)));
    } else {
        throw DataError(place + ": 'counts' is neither a list nor a text");
    }
    return runs_of_counts(list, place);
}

// Each polygon of an object is filled by itself, as COCO has it.
void add_annotation(const Json& a, uint8_t id, DrawnMask& mask, const std::string& place) {
    const auto at = a.find("segmentation");
    if (at == a.end() || (at->is_array() && at->empty()))
        throw DataError(place +
                        ": a box without a polygon; masks need 'segmentation': export the data set as instance "
                        "segmentation");
    if (at->is_object()) {
        const std::string runs = runs_of(*at, mask, place);
        if (!runs.empty()) mask.drawings.push_back({.id = id, .runs = runs});
        return;
    }
    if (!at->is_array()) throw DataError(place + ": 'segmentation' is neither polygons nor runs");
    for (const Json& polygon : *at) mask.drawings.push_back({.id = id, .rings = {ring_of_numbers(polygon, place)}});
}

std::map<int64_t, size_t> add_images(const Json& file, const std::string& path, CocoFile& coco) {
    std::map<int64_t, size_t> places;
    for (const Json& image : annotation::array(file, "images", path)) {
        const std::string place = path + ", images";
        CocoFile::Image added{annotation::text(image, "file_name", place), {}};
        added.mask.h = annotation::integer(image, "height", place);
        added.mask.w = annotation::integer(image, "width", place);
        if (!places.emplace(annotation::integer(image, "id", place), coco.images.size()).second)
            throw DataError(fmt::format("{}: two images have one id, the second is {}", path, added.file));
        coco.images.push_back(std::move(added));
    }
    return places;
}

}  // namespace

CocoFile parse_coco(const std::string& text, const std::string& path, const std::vector<std::string>& names) {
    const Json file = annotation::parse_json(text, path);
    CocoFile coco;
    Ids ids;
    add_categories(file, path, ids, coco.names);
    if (!names.empty() && coco.names != names)
        throw DataError(
            fmt::format("{}: its categories are {}, but those of the other parts are {}; export all parts "
                        "together",
                        path, few_of(coco.names), few_of(names)));
    const auto places = add_images(file, path, coco);
    for (const Json& a : annotation::array(file, "annotations", path)) {
        const std::string place =
            fmt::format("{}, annotation {}", path, annotation::integer(a, "id", path + ", annotations"));
        const auto image = places.find(annotation::integer(a, "image_id", place));
        const auto id = ids.find(annotation::integer(a, "category_id", place));
        if (image == places.end())
            throw DataError(place + ": its image is not in 'images'; export the annotations again");
        if (id == ids.end())
            throw DataError(place + ": its category is not in 'categories'; export the annotations again");
        add_annotation(a, id->second, coco.images[image->second].mask, place);
    }
    return coco;
}

}  // namespace atrous::data
