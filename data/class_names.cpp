#include "data/class_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/paths.h"
#include "base/split.h"
#include "base/text.h"
#include "data/classes_toml.h"
#include "data/mask.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

std::string trimmed(const std::string& text, const char* what = " \t\r\"'") {
    const size_t first = text.find_first_not_of(what);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(what) - first + 1);
}

Lines trimmed_parts(const std::string& text, char separator) {
    Lines parts = split(text, separator);
    for (std::string& part : parts) part = trimmed(part);
    return parts;
}

[[noreturn]] void refuse(const std::string& path, size_t line, const std::string& expected, bool other_form = false) {
    const std::string text = fmt::format("{}:{}: not the names of classes; expected {}", path, line + 1, expected);
    if (other_form) throw NotClassNames(text);
    throw DataError(text);
}

int number(const std::string& text, int top) {  // -1: it is none
    int value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= top ? value : -1;
}

void put(std::vector<std::string>& names, size_t id, const std::string& name) {
    while (names.size() <= id) names.push_back(fmt::format("class {}", names.size()));
    names[id] = name;
}

ClassNames read_roboflow(const std::string& path, const Lines& lines) {
    ClassNames found;
    for (size_t i = 1; i < lines.size(); ++i) {
        if (trimmed(lines[i]).empty()) continue;
        const Lines fields = trimmed_parts(lines[i], ',');
        const int id = number(fields[0], max_classes - 1);
        if (fields.size() < 2 || id < 0) refuse(path, i, "'value, name' with a value up to 254", found.names.empty());
        put(found.names, size_t(id), fields[1]);
    }
    return found;
}

uint32_t colour_of(const std::string& path, size_t line, const Lines& rgb) {
    uint32_t colour = 0;
    for (size_t ch = 0; ch < 3; ++ch) {
        const int value = ch < rgb.size() ? number(rgb[ch], 255) : -1;
        if (value < 0) refuse(path, line, "a colour of three numbers from 0 to 255");
        colour = colour << 8 | uint32_t(value);
    }
    return colour;
}

ClassNames read_class_dict(const std::string& path, const Lines& lines) {
    ClassNames found;
    for (size_t i = 1; i < lines.size(); ++i) {
        if (trimmed(lines[i]).empty()) continue;
        const Lines fields = trimmed_parts(lines[i], ',');
        if (fields.size() < 4) refuse(path, i, "'name,r,g,b'", found.names.empty());
        found.names.push_back(fields[0]);
        found.colours.push_back(colour_of(path, i, {fields[1], fields[2], fields[3]}));
    }
    return found;
}

ClassNames read_labelmap(const std::string& path, const Lines& lines) {
    ClassNames found;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (trimmed(lines[i]).empty() || lines[i][0] == '#') continue;
        const Lines fields = trimmed_parts(lines[i], ':');
        const Lines rgb = fields.size() < 2 ? Lines{} : trimmed_parts(fields[1], ',');
        if (rgb.size() != 3) refuse(path, i, "'name:r,g,b::'", found.names.empty());
        found.names.push_back(fields[0]);
        found.colours.push_back(colour_of(path, i, rgb));
    }
    // CVAT lists the background where the alphabet has it; it is class 0 here.
    const auto background = std::find(found.names.begin(), found.names.end(), "background");
    if (background == found.names.end()) return found;
    const auto at = background - found.names.begin();
    std::rotate(found.names.begin(), background, background + 1);
    std::rotate(found.colours.begin(), found.colours.begin() + at, found.colours.begin() + at + 1);
    return found;
}

ClassNames read_plain(const std::string&, const Lines& lines) {
    ClassNames found;
    for (const std::string& line : lines)
        if (const std::string name = trimmed(line); !name.empty() && name != "__ignore__")
            found.names.push_back(name == "_background_" ? "background" : name);
    return found;
}

// Of YAML only this: names: [a, b], or lines "- a", or lines "0: a", below "names:".
ClassNames read_yaml(const std::string& path, const Lines& lines) {
    ClassNames found;
    size_t i = 0;
    while (i < lines.size() && !lines[i].starts_with("names:")) ++i;
    if (i == lines.size()) return found;
    std::string rest = trimmed(lines[i].substr(6));
    if (rest.starts_with('[')) {
        for (; rest.find(']') == std::string::npos && i + 1 < lines.size();) rest += lines[++i];
        const size_t end = rest.find(']');
        if (end == std::string::npos) refuse(path, i, "names: [a, b, …]");
        for (const std::string& name : trimmed_parts(rest.substr(1, end - 1), ','))
            if (!name.empty()) found.names.push_back(name);
        return found;
    }
    for (++i; i < lines.size(); ++i) {
        const std::string line = trimmed(lines[i].substr(0, lines[i].find(" #")));
        if (line.empty() || line[0] == '#') continue;
        const size_t colon = line.find(':');
        const int id = colon == std::string::npos ? -1 : number(trimmed(line.substr(0, colon)), max_classes - 1);
        if (line.starts_with("- "))
            found.names.push_back(trimmed(line.substr(2)));
        else if (id >= 0)
            put(found.names, size_t(id), trimmed(line.substr(colon + 1)));
        else
            break;
    }
    return found;
}

// "Idx Ratio Train Val Stuff Name" of ADE20K, whose ids begin at 1; names of several words take the first of them.
ClassNames read_object_info(const std::string& path, const Lines& lines) {
    ClassNames found;
    for (size_t i = 1; i < lines.size(); ++i) {
        if (trimmed(lines[i]).empty()) continue;
        const Lines fields = trimmed_parts(lines[i], '\t');
        const int id = number(fields[0], max_classes);
        if (id < 1 || fields.size() < 2)
            refuse(path, i, "'Idx Ratio Train Val Stuff Name' with tabs", found.names.empty());
        put(found.names, size_t(id - 1), trimmed_parts(fields.back(), ',')[0]);
    }
    return found;
}

// A text of this name may be anything, such as a list of images or of a label for each image.
bool is_plausible(const std::string& path) {
    std::ifstream file(path);
    std::set<std::string> names;
    int lines = 0;
    for (std::string line; std::getline(file, line);) {
        const std::string name = trimmed(line);
        if (++lines > max_classes || line.size() > 80 || is_image_name(name)) return false;
        if (!name.empty() && !names.insert(name).second) return false;
    }
    return true;
}

using Reader = ClassNames (*)(const std::string&, const Lines&);
ClassNames read_toml(const std::string& path, const Lines&) { return read_classes_toml(path); }

// As many columns as one of the two forms has.
ClassNames read_csv(const std::string& path, const Lines& lines) {
    const bool colours = !lines.empty() && trimmed_parts(lines[0], ',').size() >= 4;
    return colours ? read_class_dict(path, lines) : read_roboflow(path, lines);
}

constexpr std::pair<const char*, Reader> readers[] = {{"classes.toml", read_toml},
                                                      {"_classes.csv", read_roboflow},
                                                      {"class_dict.csv", read_class_dict},
                                                      {"labelmap.txt", read_labelmap},
                                                      {"class_names.txt", read_plain},
                                                      {"classes.txt", read_plain},
                                                      {"labels.txt", read_plain},
                                                      {"data.yaml", read_yaml},
                                                      {"data.yml", read_yaml},
                                                      {"objectInfo150.txt", read_object_info}};

}  // namespace

static ClassNames read_with(Reader read, const std::string& path) {
    std::ifstream file(path);
    if (!file) throw DataError(path + ": cannot be opened; check its permissions");
    Lines lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    if (!lines.empty() && lines[0].starts_with("\xef\xbb\xbf")) lines[0].erase(0, 3);
    ClassNames found = read(path, lines);
    if (found.names.size() > size_t(max_classes))
        throw DataError(
            fmt::format("{}: {} names; at most {} classes are trained", path, found.names.size(), max_classes));
    found.file = path;
    return found;
}

static Reader known_reader(const std::string& path) {  // null: it has none of the names
    const std::string name = fs::path(path).filename().string();
    for (const auto& [known, read] : readers)
        if (name == known) return read;
    return nullptr;
}

ClassNames read_class_names(const std::string& path) {
    if (const Reader read = known_reader(path)) return read_with(read, path);
    throw DataError(path + ": not a file of class names that is known");
}

ClassNames given_class_names(const std::string& text, const std::string& root) {
    for (const std::string& path : {text, (fs::path(root) / text).string()}) {
        if (!is_file(path)) continue;
        const std::string ending = io::lower_case(fs::path(path).extension().string());
        const Reader known = known_reader(path);
        ClassNames found = read_with(known                                   ? known
                                     : ending == ".toml"                     ? read_toml
                                     : ending == ".csv"                      ? read_csv
                                     : ending == ".yaml" || ending == ".yml" ? read_yaml
                                                                             : read_plain,
                                     path);
        if (found.names.empty()) throw DataError(path + ": no names of classes in it");
        return found;
    }
    ClassNames found{.names = trimmed_parts(text, ',')};
    if (found.names.size() < 2)
        throw DataError(fmt::format("`class-names` {}: no such file; give a file, or names between commas", text));
    for (const std::string& name : found.names)
        if (name.empty()) throw DataError(fmt::format("`class-names` {}: a name is empty", text));
    return found;
}

std::optional<ClassNames> class_names_in(const std::string& folder, std::vector<std::string>& notes) {
    for (const auto& [name, read] : readers) {
        const std::string path = (fs::path(folder) / name).string();
        if (!is_file(path) || (read == read_plain && !is_plausible(path))) continue;
        try {
            ClassNames found = read_class_names(path);
            if (!found.names.empty()) return found;
        } catch (const NotClassNames& error) {
            notes.push_back(fmt::format("{}; the file is passed over", error.what()));
        }
    }
    return {};
}

std::vector<std::string> voc_class_names() {
    return {"background", "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",
            "car",        "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",
            "motorbike",  "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
}

std::vector<std::string> cityscapes_class_names() {
    return {"road",         "sidewalk",   "building", "wall",       "fence",  "pole",  "traffic light",
            "traffic sign", "vegetation", "terrain",  "sky",        "person", "rider", "car",
            "truck",        "bus",        "train",    "motorcycle", "bicycle"};
}

Palette cityscapes_colours() {
    return {0x804080, 0xf423e8, 0x464646, 0x66669c, 0xbe9999, 0x999999, 0xfaaa1e, 0xdcdc00, 0x6b8e23, 0x98fb98,
            0x4682b4, 0xdc143c, 0xff0000, 0x00008e, 0x000046, 0x003c64, 0x005064, 0x0000e6, 0x770b20};
}

}  // namespace atrous::data
