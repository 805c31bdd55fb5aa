#include "base/paths.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace atrous {

namespace fs = std::filesystem;

static bool has_type(const std::string& path, mode_t type) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IFMT) == type;
}

bool path_exists(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0;
}

bool is_file(const std::string& path) { return has_type(path, S_IFREG); }
bool is_folder(const std::string& path) { return has_type(path, S_IFDIR); }

std::string path_problem(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? "" : std::generic_category().message(errno);
}

std::optional<FileIdentity> identity_of(const std::string& path) {
    struct stat status;
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{uint64_t(status.st_dev), uint64_t(status.st_ino)};
}

// Where a path leads that ends in a link to a file that does not exist yet.
static fs::path behind_dangling_links(fs::path path) {
    std::error_code error;
    for (int links = 0; links < 40 && !fs::exists(path, error); ++links) {
        const fs::path target = fs::read_symlink(path, error);
        if (error) break;
        path = path.parent_path() / target;
    }
    return path;
}

std::string canonical_path(const std::string& path) {
    std::error_code error;
    fs::path whole = fs::absolute(path, error);
    if (error) return fs::path(path).lexically_normal().string();
    whole = behind_dangling_links(whole);
    const fs::path canonical = fs::weakly_canonical(whole, error);
    std::string text = (error ? whole.lexically_normal() : canonical.lexically_normal()).string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

std::string absolute_path(const std::string& path) {
    std::error_code error;
    const fs::path whole = fs::absolute(path, error);
    if (error)
        throw IoError("the working folder cannot be read: " + error.message() +
                      "; was it deleted? change into another one");
    const std::string normal = whole.lexically_normal().string();
    // Behind a link to a folder ".." is not the folder that the link is in.
    const bool same = !path_exists(whole.string()) || same_file(normal, whole.string());
    return same ? normal : whole.string();
}

void make_folders(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
        throw IoError(path + ": the folder cannot be made: " + error.message() +
                      "; check the path and its permissions");
}

bool same_file(const std::string& a, const std::string& b) {
    const auto first = identity_of(a), second = identity_of(b);
    return first && second ? *first == *second : !first && !second && canonical_path(a) == canonical_path(b);
}

std::string path_below(const std::string& path, const std::string& folder) {
    const auto plain = [](const std::string& text, size_t from) {
        for (size_t at = from, end; at <= text.size(); at = end + 1) {
            end = std::min(text.find('/', at), text.size());
            const std::string_view part = std::string_view(text).substr(at, end - at);
            if (part.empty() || part == "." || part == "..") return false;
        }
        return true;
    };
    const size_t from = folder.size() + 1;
    if (!folder.empty() && !folder.ends_with('/') && path.size() > from && path.starts_with(folder) &&
        path[from - 1] == '/' && plain(path, from))
        return path.substr(from);
    return fs::path(path).lexically_relative(folder).lexically_normal().generic_string();
}

bool is_below(const std::string& path, const std::string& folder) {
    const fs::path relative = fs::path(canonical_path(path)).lexically_relative(canonical_path(folder));
    return !relative.empty() && *relative.begin() != "..";
}

std::string cache_folder() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value ? value : "");
    };
    // A relative path is to be ignored, says the XDG Base Directory Specification.
    if (const std::string cache = variable("XDG_CACHE_HOME"); cache.starts_with("/")) return cache + "/atrous";
    const std::string home = variable("HOME");
    return home.empty() ? "" : home + "/.cache/atrous";
}

}  // namespace atrous
