// Paths of list files, as other programs and other machines wrote them, and the files here that they mean.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

namespace atrous::data {

class ListPaths {
 public:
    ListPaths(const std::string& list, std::filesystem::path root);
    // The file that `given` means; the path below the root where there is none. `where` begins the message of a DataError
    // about an absolute path that leads elsewhere.
    std::filesystem::path find(const std::string& given, const std::string& where);
    // What was done to paths, a line each.
    std::set<std::string> notes;

 private:
    std::optional<std::filesystem::path> below_root(const std::filesystem::path& given, const std::string& text);

    std::filesystem::path root_, list_folder_;
    std::set<std::string> dropped_;  // beginnings of paths that belong to another machine
};

}  // namespace atrous::data
