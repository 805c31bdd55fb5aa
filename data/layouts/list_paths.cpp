#include "data/layouts/list_paths.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/paths.h"

namespace atrous::data {

namespace fs = std::filesystem;

ListPaths::ListPaths(const std::string& list, fs::path root)
    : root_(std::move(root)), list_folder_(fs::path(list).parent_path()) {}

// The longest tail of the path that is a file below the root.
std::optional<fs::path> ListPaths::below_root(const fs::path& given, const std::string& text) {
    const fs::path relative = given.relative_path();
    fs::path beginning = given.root_path();
    for (auto part = relative.begin(); part != relative.end(); beginning /= *part++) {
        fs::path tail;
        for (auto p = part; p != relative.end(); ++p) tail /= *p;
        if (!is_file((root_ / tail).string())) continue;
        // Another beginning than the first that was met could lead to another file of the same name.
        if (part != relative.begin() || given.is_absolute()) {
            if (dropped_.size() >= 2 && !dropped_.contains(beginning.string())) return {};
            if (dropped_.insert(beginning.string()).second)
                notes.insert(
                    fmt::format("paths that begin with {} ('{}') are taken below {}, by the longest part that exists",
                                beginning.string(), text, root_.string()));
        }
        return root_ / tail;
    }
    return {};
}

fs::path ListPaths::find(const std::string& given, const std::string& where) {
    if (const fs::path plain(given); plain.is_absolute()) {
        if (is_file(given) && is_below(given, root_.string())) return plain;
    } else if (is_file((root_ / plain).string())) {
        return root_ / plain;
    }
    std::string text = given;
    std::replace(text.begin(), text.end(), '\\', '/');
    if (text.size() > 2 && text[1] == ':' && text[2] == '/') text.erase(0, 2);  // C:/…
    const fs::path path(text);
    if (text != given && path.is_relative() && is_file((root_ / path).string())) {
        notes.insert("backslashes are taken for slashes");
        return root_ / path;
    }
    if (path.is_relative() && is_file((list_folder_ / path).string())) {
        notes.insert(fmt::format("paths are relative to the list's folder, {}", list_folder_.string()));
        return list_folder_ / path;
    }
    if (const auto found = below_root(path, given)) return *found;
    if (path.is_absolute())
        throw DataError(
            fmt::format("{}: '{}' does not lie below {}, nor does any last part of it; give paths below "
                        "that folder",
                        where, given, root_.string()));
    return root_ / path;
}

}  // namespace atrous::data
