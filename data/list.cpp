#include "data/list.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/paths.h"
#include "data/folder.h"
#include "data/image.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

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

void refuse_outside(const std::string& list, int line, const std::string& part) {
    const fs::path given(part);
    const bool climbs = std::find(given.begin(), given.end(), "..") != given.end();
    if (climbs || given.is_absolute())
        throw DataError(
            fmt::format("{}:{}: '{}' leaves the data folder; give paths below it, without '..'", list, line, part));
    if (part.find('\0') != std::string::npos)
        throw DataError(fmt::format("{}:{}: the line holds a zero byte; save the list as plain text", list, line));
}

ListEntry parse_line(const std::string& path, int number, const std::string& line) {
    const bool tab = line.find('\t') != std::string::npos;
    const size_t cut = line.find_first_of(tab ? "\t" : " ");
    ListEntry entry{line.substr(0, cut), "", nullptr, number};
    if (cut != std::string::npos) entry.mask = trimmed(line.substr(cut));
    if (!tab && entry.mask.find(' ') != std::string::npos)
        throw DataError(
            fmt::format("{}:{}: more than two fields; separate paths that contain spaces by a tab", path, number));
    return entry;
}

std::vector<std::string> split_csv(const std::string& path, int number, const std::string& line) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"') {
            if (quoted && i + 1 < line.size() && line[i + 1] == '"')
                fields.back() += line[i++];
            else
                quoted = !quoted;
        } else if (c == ',' && !quoted) {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (quoted) throw DataError(fmt::format("{}:{}: a quotation mark is not closed", path, number));
    for (auto& field : fields) field = trimmed(field);
    return fields;
}

struct Columns {
    size_t image = 0, mask = 1;
    bool rle = false, known = false;  // known: a heading said so
};

Columns columns_of(const std::string& path, const std::vector<std::string>& heading) {
    static constexpr const char* images[] = {"image", "img", "image_path", "filename", "file", "picture", "imageid"};
    static constexpr const char* masks[] = {"mask", "mask_path", "label", "label_path", "annotation"};
    static constexpr const char* runs[] = {"rle_mask", "rle", "encodedpixels", "mask_rle"};
    const auto find = [&](const auto& names) {
        for (size_t i = 0; i < heading.size(); ++i)
            for (const char* name : names)
                if (lower(heading[i]) == name) return i;
        return heading.size();
    };
    const size_t image = find(images), mask = find(masks), rle = find(runs), none = heading.size();
    if (image == none || (mask == none && rle == none)) {
        std::string found;
        for (const auto& field : heading) found += (found.empty() ? "" : ", ") + field;
        throw DataError(
            fmt::format("{}:1: the heading names {}; expected a column image (or img, filename) and one of "
                        "mask, label, rle_mask",
                        path, found));
    }
    return {image, mask != none ? mask : rle, mask == none, true};
}

ListEntry parse_row(const std::string& path, int number, const Columns& columns, std::vector<std::string> fields) {
    if (fields.size() <= std::max(columns.image, columns.mask))
        throw DataError(fmt::format("{}:{}: {} fields; expected an image and its mask, separated by a comma", path,
                                    number, fields.size()));
    ListEntry entry{fields[columns.image], "", nullptr, number};
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

}  // namespace

std::vector<ListEntry> read_list(const std::string& path) {
    // Asked first, for opening a pipe would wait for its other end.
    if (!is_file(path))
        throw DataError(fmt::format("{}: the list cannot be opened ({}); check the path", path, absence(path, "file")));
    std::ifstream file(path);
    if (!file)
        throw DataError(
            fmt::format("{}: the list cannot be opened ({}); check its permissions", path, std::strerror(errno)));
    const bool csv = lower(fs::path(path).extension().string()) == ".csv";
    std::vector<ListEntry> entries;
    Columns columns;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (number == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);  // a byte order mark
        if (!csv) line = without_comment(line);
        if (line = trimmed(line); line.empty()) continue;
        if (csv) {
            auto fields = split_csv(path, number, line);
            if (number == 1 && std::none_of(fields.begin(), fields.end(), is_image_name)) {
                columns = columns_of(path, fields);
                continue;
            }
            entries.push_back(parse_row(path, number, columns, std::move(fields)));
        } else {
            entries.push_back(parse_line(path, number, line));
        }
        for (const auto& part : {entries.back().image, entries.back().mask}) refuse_outside(path, number, part);
    }
    if (file.bad()) throw DataError(fmt::format("{}: the list cannot be read to its end; check the disk", path));
    return entries;
}

}  // namespace atrous::data
