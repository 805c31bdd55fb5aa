#include "data/layouts/annotation_file.h"
#include "data/layouts/parts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "data/image.h"
#include "data/pairing.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace annotation {

Json parse_json(const std::string& text, const std::string& path) {
    try {
        return Json::parse(text);
    } catch (const Json::parse_error& e) {
        throw DataError(fmt::format("{}: broken JSON at byte {} of {}; export it again", path, e.byte, text.size()));
    } catch (const Json::exception&) {
        throw DataError(path + ": JSON with a number that is too large; export it again");
    }
}

Json read_json(const std::string& path) {
    const std::vector<uint8_t> bytes = read_file(path);
    return parse_json({bytes.begin(), bytes.end()}, path);
}

[[noreturn]] static void refuse(const std::string& place, const std::string& what) {
    throw DataError(fmt::format("{}: {}; export the annotations again", place, what));
}

const Json& member(const Json& object, const char* name, const std::string& place) {
    if (!object.is_object()) refuse(place, "expected an object");
    const auto at = object.find(name);
    if (at == object.end()) refuse(place, fmt::format("'{}' is missing", name));
    return *at;
}

std::string text(const Json& object, const char* name, const std::string& place) {
    const Json& value = member(object, name, place);
    if (!value.is_string()) refuse(place, fmt::format("'{}' is no text", name));
    return value.get<std::string>();
}

double number(const Json& value, const std::string& place) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(place, "expected a number");
    return value.get<double>();
}

int64_t integer(const Json& object, const char* name, const std::string& place) {
    const double value = number(member(object, name, place), fmt::format("{}, '{}'", place, name));
    if (value != std::floor(value) || std::abs(value) > 1e15) refuse(place, fmt::format("'{}' is no integer", name));
    return int64_t(value);
}

const Json& array(const Json& object, const char* name, const std::string& place) {
    const Json& value = member(object, name, place);
    if (!value.is_array()) refuse(place, fmt::format("'{}' is no list", name));
    return value;
}

Ring ring_of_pairs(const Json& points, const std::string& place) {
    Ring ring;
    if (!points.is_array()) refuse(place, "expected a list of points");
    for (const Json& p : points) {
        if (!p.is_array() || p.size() < 2) refuse(place, "expected points [x, y]");
        ring.push_back({number(p[0], place), number(p[1], place)});
    }
    return ring;
}

}  // namespace annotation

std::vector<std::string> files_with_extension(const std::string& folder, const std::string& extension) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end;
         !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.starts_with('.') || at->path().extension() != extension) continue;
        if (std::error_code ignored; at->is_regular_file(ignored)) files.push_back(at->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string part_of(const std::string& relative) {
    const std::string first = folded(relative.substr(0, relative.find('/')));
    if (first == "val" || first == "valid" || first == "validation") return "val";
    return first == "test" || first == "testing" ? "test" : "train";
}

}  // namespace atrous::data
