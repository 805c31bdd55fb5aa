#include "data/folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/unread.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

const std::string not_there = std::generic_category().message(ENOENT);

// Folders still to be looked into. Links wait until last, so that a folder goes by its own path where it has one.
struct Pending {
    std::deque<std::string> folders, links;
    bool empty() const { return folders.empty() && links.empty(); }
    std::string take() {
        auto& queue = folders.empty() ? links : folders;
        std::string first = std::move(queue.front());
        queue.pop_front();
        return first;
    }
};

struct Entry {
    std::string name;
    bool is_file;  // or a link to one; of most entries the folder itself says so
};

// Appends the folder's entries by name. Returns the system's reason where it could not read all of them, else nothing.
std::string read_entries(const std::string& folder, std::vector<Entry>& entries) {
    std::error_code error, ignored;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
        entries.push_back({entry->path().filename().string(), entry->is_regular_file(ignored)});
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return error ? error.message() : "";
}

bool is_link(const std::string& path) {
    std::error_code ignored;
    return fs::is_symlink(fs::symlink_status(path, ignored));
}

// Sorts an entry of a folder; `pending` is null where those below do not count.
void sort_entry(const std::string& path, bool is_file, Pending* pending, ImageList& found) {
    const bool image = is_image_name(path);
    if (image && is_file) return found.images.push_back(path);
    if (const auto content = image ? std::nullopt : image_content(path)) {
        if (content->is_read) return found.images.push_back(path);
        return found.unread.push_back(fmt::format("{} ({})", path, content->kind));
    }
    if (is_folder(path)) {
        if (pending && fs::path(path).filename() != "__MACOSX")
            (is_link(path) ? pending->links : pending->folders).push_back(path);
        return;
    }
    if (!image && !pending) return;
    const std::string problem = path_problem(path);
    if (image || (!problem.empty() && problem != not_there))
        found.skipped.push_back(fmt::format("{}: {}", path, problem.empty() ? "neither a file nor a folder" : problem));
}

std::string look_into(const std::string& folder, Pending* pending, ImageList& found) {
    std::vector<Entry> entries;
    const std::string problem = read_entries(folder, entries);
    const std::string begin = folder.ends_with('/') ? folder : folder + "/";
    for (const auto& [name, is_file] : entries) sort_entry(begin + name, is_file, pending, found);
    return problem;
}

// As std::filesystem::path compares, by the parts of the paths: what lies in "a" comes before "a b.png".
bool comes_before(const std::string& a, const std::string& b) {
    const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (at == a.end() || other == b.end()) return at == a.end() && other != b.end();
    const auto rank = [](char c) { return c == '/' ? 0 : int(static_cast<unsigned char>(c)); };
    return rank(*at) < rank(*other);
}

[[noreturn]] void unreadable(const std::string& folder, const std::string& problem) {
    throw DataError(
        fmt::format("{}: the folder cannot be read ({}); check its permissions and the disk", folder, problem));
}

}  // namespace

ImageList images_below(const std::string& root) {
    ImageList found;
    std::map<FileIdentity, std::string> seen;  // a link may lead back to a folder above it, or two to the same
    for (Pending pending{{root}, {}}; !pending.empty();) {
        const std::string folder = pending.take();
        if (const auto identity = identity_of(folder)) {
            const auto [first, fresh] = seen.emplace(*identity, folder);
            if (!fresh) {
                found.skipped.push_back(
                    fmt::format("{}: the same folder as {}, whose images are taken once", folder, first->second));
                continue;
            }
        }
        const std::string problem = look_into(folder, &pending, found);
        if (problem.empty()) continue;
        if (folder == root) unreadable(folder, problem);
        found.skipped.push_back(fmt::format("{}: {}", folder, problem));
    }
    std::sort(found.images.begin(), found.images.end(), comes_before);
    std::sort(found.skipped.begin(), found.skipped.end());
    std::sort(found.unread.begin(), found.unread.end());
    return found;
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<Entry> entries;
    const std::string problem = read_entries(folder, entries);
    if (!problem.empty()) unreadable(folder, problem);
    std::vector<std::string> names;
    for (Entry& entry : entries) names.push_back(std::move(entry.name));
    return names;
}

ImageList images_in(const std::string& folder) {
    ImageList found;
    const std::string problem = look_into(folder, nullptr, found);
    if (!problem.empty()) unreadable(folder, problem);
    return found;
}

std::string absence(const std::string& path, const std::string& kind) {
    const std::string problem = path_problem(path);
    return problem.empty() ? "not a " + kind : problem == not_there ? "no such " + kind : problem;
}

ImageList find_images(const std::string& path, bool below) {
    if (is_file(path)) return {{path}, {}};
    if (!is_folder(path)) throw DataError(fmt::format("{}: {}; check the path", path, absence(path, "file or folder")));
    ImageList found = below ? images_below(path) : images_in(path);
    for (const std::string& line : found.unread) found.skipped.push_back(line + ": this kind of image is not read");
    found.unread.clear();
    if (found.images.empty())
        throw DataError(fmt::format("{}: no images in this folder{}{}", path, below ? " or those in it" : "",
                                    found.skipped.empty() ? "" : "; left out: " + few_of(found.skipped)));
    return found;
}

}  // namespace atrous::data
