#include "data/list.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/utf8.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "img#1.png" is a name; a comment stands at the start of the line or after white space.
std::string without_comment(const std::string& line) {
    size_t at = line.find('#');
    while (at != std::string::npos && at > 0 && line[at - 1] != ' ' && line[at - 1] != '\t')
        at = line.find('#', at + 1);
    return line.substr(0, at);
}

void refuse_climbing(const std::string& list, int line, const std::string& part) {
    std::string slashes = part;
    std::replace(slashes.begin(), slashes.end(), '\\', '/');
    const fs::path given(slashes);
    if (std::find(given.begin(), given.end(), "..") != given.end())
        throw DataError(
            fmt::format("{}:{}: '{}' leaves the data folder; give paths below it, without '..'", list, line, part));
    if (part.find('\0') != std::string::npos)
        throw DataError(
            fmt::format("{}:{}: the line holds a zero byte; save the list as plain text, in UTF-8", list, line));
}

// Two names with an extension each, between which one of `, ; |` stands.
std::optional<std::pair<std::string, std::string>> split_names(const std::string& line) {
    for (const char separator : {',', ';', '|'}) {
        const size_t cut = line.find(separator);
        if (cut == std::string::npos || line.find(separator, cut + 1) != std::string::npos) continue;
        const std::string image = trimmed(line.substr(0, cut)), mask = trimmed(line.substr(cut + 1));
        if (fs::path(image).has_extension() && fs::path(mask).has_extension()) return std::pair{image, mask};
    }
    return {};
}

ListEntry parse_line(const std::string& path, int number, const std::string& line) {
    const bool tab = line.find('\t') != std::string::npos;
    const size_t cut = line.find_first_of(tab ? "\t" : " ");
    ListEntry entry{line.substr(0, cut), "", nullptr, number};
    if (cut != std::string::npos) entry.mask = trimmed(line.substr(cut));
    const bool two_names =
        is_image_name(entry.image) && !entry.mask.empty() && entry.mask.find(' ') == std::string::npos;
    if (tab || two_names) return entry;
    if (const auto names = split_names(line)) return {names->first, names->second, nullptr, number};
    if (entry.mask.find(' ') != std::string::npos)
        throw DataError(
            fmt::format("{}:{}: more than two fields; separate paths that contain spaces by a tab", path, number));
    return entry;
}

// The separator that the first line holds most of, outside quotes.
char separator_of(const std::string& line) {
    std::map<char, int> counts;
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') quoted = !quoted;
        if (!quoted) ++counts[c];
    }
    char best = ',';
    for (const char c : {';', '\t', '|'})
        if (counts[c] > counts[best]) best = c;
    return best;
}

std::vector<std::string> split_csv(const std::string& path, int number, const std::string& line, char separator) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"') {
            if (quoted && i + 1 < line.size() && line[i + 1] == '"')
                fields.back() += line[i++];
            else
                quoted = !quoted;
        } else if (c == separator && !quoted) {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (quoted) throw DataError(fmt::format("{}:{}: a quotation mark is not closed", path, number));
    for (auto& field : fields) field = trimmed(field);
    return fields;
}

constexpr size_t none = size_t(-1);

struct Columns {
    size_t image = 0, mask = 1, class_name = none;
    bool rle = false, known = false;  // known: a heading said so
    bool joined = false;              // Image_Label: the image's name and the class with _ between them
};

// The column of the first of the names that there is.
template <size_t N>
size_t find_column(const std::vector<std::string>& heading, const char* const (&names)[N]) {
    for (const char* name : names)
        for (size_t i = 0; i < heading.size(); ++i)
            if (io::lower_case(heading[i]) == name) return i;
    return none;
}

Columns columns_of(const std::string& path, const std::vector<std::string>& heading) {
    static constexpr const char* images[] = {"image",      "img",      "image_path", "img_path",    "imagepath",
                                             "image_file", "img_file", "image_name", "filename",    "file_name",
                                             "file",       "picture",  "images",     "image_label", "imageid",
                                             "image_id",   "id"};
    static constexpr const char* masks[] = {"mask",  "mask_path",  "maskpath", "mask_file", "mask_name",
                                            "masks", "annotation", "label",    "label_path"};
    static constexpr const char* runs[] = {"rle_mask", "rle", "encodedpixels", "mask_rle", "encoding"};
    static constexpr const char* classes[] = {"classid", "class_id", "class", "class_name", "category"};
    const size_t image = find_column(heading, images), rle = find_column(heading, runs);
    const size_t mask = find_column(heading, masks);
    if (image == none || (mask == none && rle == none)) {
        std::string found;
        for (const auto& field : heading) found += (found.empty() ? "" : ", ") + field;
        throw DataError(
            fmt::format("{}:1: the heading names {}; expected a column image (or img, filename) and one of "
                        "mask, label, rle_mask",
                        path, found));
    }
    Columns columns{image,
                    mask != none ? mask : rle,
                    find_column(heading, classes),
                    mask == none,
                    true,
                    io::lower_case(heading[image]) == "image_label"};
    return columns;
}

// Which way the competitions count that use these headings.
std::optional<RunOrder> order_of(const std::vector<std::string>& heading, const Columns& columns) {
    if (!columns.rle) return {};
    const std::string image = io::lower_case(heading[columns.image]), runs = io::lower_case(heading[columns.mask]);
    if (runs == "encodedpixels" || runs == "encoding") return RunOrder::columns;
    if (runs == "rle_mask" && image == "id") return RunOrder::columns;  // TGS salt
    if (runs == "rle_mask" && image == "img") return RunOrder::rows;    // Carvana
    return {};
}

ListEntry parse_row(const std::string& path, int number, const Columns& columns, std::vector<std::string> fields) {
    if (fields.size() <= std::max(columns.image, columns.mask))
        throw DataError(fmt::format("{}:{}: {} fields; expected an image and its mask, separated by a comma", path,
                                    number, fields.size()));
    ListEntry entry{fields[columns.image], "", nullptr, number};
    if (columns.class_name < fields.size()) entry.class_name = fields[columns.class_name];
    if (const size_t cut = entry.image.rfind('_'); columns.joined && cut != std::string::npos) {
        entry.class_name = entry.image.substr(cut + 1);
        entry.image.resize(cut);
    }
    if (entry.image.empty()) throw DataError(fmt::format("{}:{}: the image's name is empty", path, number));
    std::string& mask = fields[columns.mask];
    const bool runs = columns.known ? columns.rle : mask.find_first_not_of("0123456789 ") == std::string::npos;
    if (runs)
        entry.rle = std::make_shared<const std::string>(std::move(mask));
    else if (mask.empty())
        throw DataError(fmt::format("{}:{}: the mask's name is empty", path, number));
    else
        entry.mask = mask;
    return entry;
}

// UTF-16 with its byte order mark, as PowerShell and Excel write it.
std::string from_utf16(const std::string& bytes) {
    const bool little = bytes[0] == '\xff';
    const auto unit = [&](size_t i) {
        const auto low = uint8_t(bytes[i + !little]), high = uint8_t(bytes[i + little]);
        return char32_t(high << 8 | low);
    };
    std::string text;
    for (size_t i = 2; i + 1 < bytes.size(); i += 2) {
        char32_t code = unit(i);
        const bool pair = code >= 0xd800 && code < 0xdc00 && i + 3 < bytes.size();
        if (pair) code = 0x10000 + ((code & 0x3ff) << 10) + (unit(i + 2) & 0x3ff), i += 2;
        append_utf8(text, code);
    }
    return text;
}

std::string text_of_list(const std::string& path) {
    // Asked first, for opening a pipe would wait for its other end.
    if (!is_file(path))
        throw DataError(fmt::format("{}: the list cannot be opened ({}); check the path", path, absence(path, "file")));
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw DataError(
            fmt::format("{}: the list cannot be opened ({}); check its permissions", path, std::strerror(errno)));
    std::string text(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) throw DataError(fmt::format("{}: the list cannot be read to its end; check the disk", path));
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) text = from_utf16(text);
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark
    return text;
}

}  // namespace

List read_list(const std::string& path) {
    std::istringstream file(text_of_list(path));
    const std::string extension = io::lower_case(fs::path(path).extension().string());
    const bool csv = extension == ".csv" || extension == ".tsv";
    List list;
    Columns columns;
    char separator = ',';
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (!csv) line = without_comment(line);
        if (number == 1) separator = extension == ".tsv" ? '\t' : separator_of(line);
        if (line = trimmed(line); line.empty()) continue;
        if (csv) {
            auto fields = split_csv(path, number, line, separator);
            if (number == 1 && std::none_of(fields.begin(), fields.end(), is_image_name)) {
                columns = columns_of(path, fields);
                list.order = order_of(fields, columns);
                list.heading = line;
                continue;
            }
            list.entries.push_back(parse_row(path, number, columns, std::move(fields)));
        } else {
            list.entries.push_back(parse_line(path, number, line));
        }
        const ListEntry& entry = list.entries.back();
        for (const auto& part : {entry.image, entry.mask}) refuse_climbing(path, number, part);
    }
    return list;
}

}  // namespace atrous::data
