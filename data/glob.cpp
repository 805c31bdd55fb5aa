#include "data/glob.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <filesystem>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/unread.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

using Part = fs::path::const_iterator;

// Whether the glob takes the path or a folder above it.
bool matches(Part path, Part path_end, Part glob, Part glob_end) {
    if (glob == glob_end) return true;
    if (*glob == "**") {
        const Part rest = std::next(glob);
        for (Part at = path;; ++at) {
            if (matches(at, path_end, rest, glob_end)) return true;
            if (at == path_end) return false;
        }
    }
    return path != path_end && fnmatch(glob->c_str(), path->c_str(), FNM_PERIOD) == 0 &&
           matches(std::next(path), path_end, std::next(glob), glob_end);
}

bool is_glob(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

std::string folders_in(const std::string& root) {
    std::vector<std::string> folders;
    for (const auto& name : names_in(root))
        if (is_folder((fs::path(root) / name).string())) folders.push_back(name + "/");
    return folders.empty() ? "it has no folders" : "it has " + few_of(folders);
}

}  // namespace

bool matches_glob(const std::string& path, const std::string& glob) {
    const fs::path p(path), g(glob);
    return matches(p.begin(), p.end(), g.begin(), g.end());
}

GivenFiles given_files(const std::string& root, const std::string& given, const std::string& setting) {
    const fs::path whole = (fs::path(root) / given).lexically_normal();
    if (is_file(whole.string())) return {whole.parent_path().string(), {{whole.string()}, {}, {}}};
    fs::path base, glob;
    for (const fs::path& part : whole) {
        const bool fixed = glob.empty() && !is_glob(part.string());
        (fixed ? base : glob) /= part;
    }
    if (!is_folder(base.string()))
        throw DataError(fmt::format("`{}` {}: {}: {}; {}: {}", setting, given, base.string(),
                                    absence(base.string(), "folder"), root, folders_in(root)));
    GivenFiles found{base.string(), images_below(base.string())};
    if (!glob.empty()) {
        const auto left_out = [&](const std::string& line) {
            const std::string path = fs::path(line).lexically_relative(base).generic_string();
            return !matches_glob(path, glob.string());
        };
        std::erase_if(found.list.images, left_out);
        std::erase_if(found.list.unread,
                      [&](const std::string& line) { return left_out(line.substr(0, line.rfind(" ("))); });
        found.list.skipped.clear();  // they were not asked for
    }
    if (found.list.images.empty())
        throw DataError(
            fmt::format("`{}` {}: no images there{}", setting, given,
                        found.list.unread.empty() ? "" : " that are read: " + text_of_unread(found.list.unread)));
    return found;
}

}  // namespace atrous::data
