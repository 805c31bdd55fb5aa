#include "segmentation/outputs.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/paths.h"
#include "base/posix.h"
#include "data/image.h"
#include "data/row_writer.h"
#include "segmentation/html_page.h"
#include "segmentation/run_lock.h"

namespace atrous {

// The first bytes of a file; empty for one that cannot be read.
static std::string beginning_of(const std::string& path) {
    try {
        const io::FileDescriptor file = io::open_for_reading(path);
        std::string bytes(512, '\0');
        bytes.resize(io::read_at(file, bytes.data(), bytes.size(), 0, path));
        return bytes;
    } catch (const IoError&) {
        return "";
    }
}

static bool is_empty_file(const std::string& path) {
    std::error_code error;
    return is_file(path) && !path.ends_with(run_mark) && std::filesystem::file_size(path, error) == 0 && !error;
}

static bool has_json_mark(const std::string& text) {
    const size_t key = text.find('"');
    if (!text.starts_with("{") || text.find_first_not_of(" \n", 1) != key ||
        !text.substr(key).starts_with(fmt::format("\"{}\"", json_mark_key)))
        return false;
    const size_t value = text.find_first_not_of(": ", key + json_mark_key.size() + 2);
    return value != std::string::npos && text.substr(value).starts_with(fmt::format("\"{}\"", json_mark));
}

bool is_replaceable(const std::string& path, FileKind kind) {
    if (!path_exists(path) || is_empty_file(path)) return true;
    const std::string begin = beginning_of(path);
    switch (kind) {
        case FileKind::json:
            return has_json_mark(begin);
        case FileKind::csv:
            return begin.starts_with("name,loss,dice,mean_iou,") || begin.starts_with("name,dice,mean_iou,") ||
                   begin.starts_with("truth\\predicted,") || begin.starts_with(class_counts_heading) ||
                   begin.starts_with("step,lr,loss,smoothed\n");
        case FileKind::png:
            return data::is_our_png(path);
        case FileKind::tiff:
            return data::is_our_tiff(path);
        case FileKind::svg:
            return begin.find("<desc>atrous</desc>") != std::string::npos;
        case FileKind::tensors:
            return begin.find(fmt::format("\"{}\":\"{}\"", tensors_mark_key, tensors_mark)) != std::string::npos;
        case FileKind::page:
            return is_own_page(begin);
        case FileKind::weights:
            return false;
    }
    return false;
}

Outputs& Outputs::reads(std::string what, std::string path) {
    if (!path.empty()) inputs_.push_back({std::move(what), std::move(path)});
    return *this;
}

Outputs& Outputs::writes(std::string what, std::string path, FileKind kind) {
    if (!path.empty()) outputs_.push_back({std::move(what), std::move(path), kind});
    return *this;
}

Outputs& Outputs::keeps(std::string what, std::string path) {
    kept_.push_back({std::move(what), std::move(path)});
    return *this;
}

static void check_folder(const std::string& what, const std::string& path) {
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 && errno != ENOENT)
        throw io::system_error(fmt::format("{} {}: cannot be written", what, path), errno);
    if (is_folder(path)) throw IoError(fmt::format("{} {}: is a folder; expected a file to write", what, path));
    if (path_exists(path) && !is_file(path))
        throw IoError(fmt::format("{} {}: is no regular file; expected a file to write", what, path));
    const std::string parent = std::filesystem::path(path).parent_path().string(),
                      folder = parent.empty() ? "." : parent;
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw io::system_error(fmt::format("{} {}: cannot write to the folder {}", what, path, folder), errno);
}

void Outputs::check_inputs() const {
    for (const Named& out : outputs_)
        for (const Named& in : inputs_)
            if (same_file(in.path, out.path))
                throw UsageError(
                    fmt::format("{} {}: is the file that {} reads; choose another name", out.what, out.path, in.what));
}

void Outputs::check(bool overwrite) const {
    check_inputs();
    for (size_t i = 0; i < outputs_.size(); ++i) {
        const Named& out = outputs_[i];
        for (const Named& kept : kept_)
            if (same_file(kept.path, out.path))
                throw UsageError(
                    fmt::format("{} {}: is a file of {}; choose another name", out.what, out.path, kept.what));
        for (size_t k = 0; k < i; ++k)
            if (same_file(outputs_[k].path, out.path))
                throw UsageError(fmt::format("{} {}: {} writes this file too; choose another name", out.what, out.path,
                                             outputs_[k].what));
        check_folder(out.what, out.path);
        if (!overwrite && !is_replaceable(out.path, out.kind))
            throw UsageError(fmt::format(
                "{} {}: this file exists{}; choose another name, or replace it with "
                "`overwrite`",
                out.what, out.path, out.kind == FileKind::weights ? "" : " and is not one of this program's"));
    }
}

void Outputs::check_samples(const std::vector<data::Sample>& samples) const {
    std::map<FileIdentity, const Named*> there;
    for (const Named& out : outputs_)
        if (const auto identity = identity_of(out.path)) there.emplace(*identity, &out);
    if (there.empty()) return;
    for (const data::Sample& sample : samples) {
        std::vector<std::string> paths = sample.mask ? files_of(*sample.mask) : std::vector<std::string>{};
        paths.insert(paths.end(), {sample.image_path, sample.mask_path});
        paths.insert(paths.end(), sample.bands.begin(), sample.bands.end());
        for (const std::string& path : paths) {
            const auto identity = identity_of(path);
            if (const auto at = identity ? there.find(*identity) : there.end(); at != there.end())
                throw UsageError(fmt::format("{} {}: is a file of the data set; choose another name", at->second->what,
                                             at->second->path));
        }
    }
}

Setting<bool>& describe_overwrite(Settings& settings, bool& overwrite) {
    return settings.bind("overwrite", overwrite,
                         "replace files that exist, whoever wrote them; inputs are never replaced");
}

Setting<std::string>& describe_output_folder(Settings& settings, std::string& folder) {
    return settings.bind("output", folder, "folder to write into").letter('o').required();
}

Setting<std::string>& describe_json(Settings& settings, std::string& file) {
    return settings.bind("json", file, "file for the figures (JSON)");
}

}  // namespace atrous
