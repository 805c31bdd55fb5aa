// Questions about paths that never throw: where the file system says no (a link to itself, an unreadable folder, a path
// that is too long), the answer is no. And which file a path means, however it is spelled.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace atrous {

bool path_exists(const std::string& path);  // links are followed
bool is_file(const std::string& path);      // a regular one
bool is_folder(const std::string& path);

// Why a path is not there or cannot be looked at, in the system's words: "No such file or directory". Empty: it can.
std::string path_problem(const std::string& path);

// The file itself: equal for every spelling of its path, and for links to it.
struct FileIdentity {
    uint64_t device = 0, inode = 0;
    auto operator<=>(const FileIdentity&) const = default;
};
std::optional<FileIdentity> identity_of(const std::string& path);  // none where there is no such file

// Returns the absolute path without "." and "..", with links resolved as far as the path exists. Where the file system
// refuses the path, or the working folder is gone, it returns `path` itself, without "." and "..".
std::string canonical_path(const std::string& path);

// Returns the absolute path with links as they are; without "." and "..", unless that would be another file. Throws
// IoError where the working folder is gone.
std::string absolute_path(const std::string& path);

void make_folders(const std::string& path);  // with those above it; IoError

// Where what can be made again is kept: "$XDG_CACHE_HOME/atrous", or ~/.cache in its place; empty where there is neither.
std::string cache_folder();

bool same_file(const std::string& a, const std::string& b);  // both may not exist yet
// How the folder names the path, by their letters alone; what lies in it is cut off quickly.
std::string path_below(const std::string& path, const std::string& folder);

bool is_below(const std::string& path, const std::string& folder);  // or the folder itself

}  // namespace atrous
