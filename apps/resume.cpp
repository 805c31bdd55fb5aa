#include "apps/resume.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/paths.h"
#include "base/posix.h"

namespace atrous::app {

namespace fs = std::filesystem;

static const char* checkpoint_name = "last.safetensors";

std::string run_folder_of(const std::string& folder_or_file) {
    if (is_folder(folder_or_file)) return folder_or_file;
    const std::string folder = fs::path(folder_or_file).parent_path().string();
    return folder.empty() ? "." : folder;
}

std::string resumed_path(const std::vector<std::string>& words) {
    std::string last;
    for (size_t i = 0; i < words.size(); ++i) {
        std::string value;
        if (words[i] == "--resume" && i + 1 < words.size())
            value = words[i + 1];
        else if (words[i].rfind("--resume=", 0) == 0)
            value = words[i].substr(9);
        if (!value.empty()) last = value;
    }
    return last;
}

std::string checkpoint_to_resume(const std::string& folder_or_file) {
    if (!is_folder(folder_or_file)) {
        if (const std::string problem = path_problem(folder_or_file); !problem.empty())
            throw IoError(folder_or_file + ": no run folder and no checkpoint: " + problem + "; check the path");
        return folder_or_file;
    }
    const std::string last = (fs::path(folder_or_file) / checkpoint_name).string();
    if (path_exists(last)) return last;
    if (path_exists(io::previous_of(last))) return io::previous_of(last);
    throw IoError(folder_or_file + ": holds no checkpoint yet, the first is written after the first epoch; start anew" +
                  (path_exists(folder_or_file + "/config.toml")
                       ? fmt::format(" with: atrous train --config {0}/config.toml --output-dir {0}", folder_or_file)
                       : ""));
}

bool is_whole(const std::string& path) {
    if (!path_exists(path)) return false;
    try {
        const io::SafetensorsFile file(path);
        return true;
    } catch (const FormatError&) {
        return false;
    }
}

std::string settle_previous(const std::string& checkpoint) {
    const std::string last = (fs::path(checkpoint).parent_path() / checkpoint_name).string();
    if (checkpoint != io::previous_of(last) || is_whole(last) || !is_whole(checkpoint)) return checkpoint;
    if (std::rename(checkpoint.c_str(), last.c_str()) != 0)
        throw io::system_error("cannot put " + checkpoint + " in the place of " + last, errno);
    fmt::print("{} takes the place of {}, which is missing or damaged\n", checkpoint, last);
    return last;
}

void check_resumable(const Recipe& mine, const Recipe& saved, const std::string& path) {
    auto here = nlohmann::json::parse(to_metadata(mine).at("atrous.recipe"));
    const auto there = nlohmann::json::parse(to_metadata(saved).at("atrous.recipe"));
    here.erase("split");    // a training may go on with more samples than it began with
    here.erase("threads");  // another machine has another number; whoever resumes is warned
    std::string then, now;
    for (const auto& [name, value] : here.items())
        if (value != there.at(name)) {
            then += (then.empty() ? "" : ", ") + name + " " + there.at(name).dump();
            now += (now.empty() ? "" : ", ") + name + " " + value.dump();
        }
    if (!now.empty())
        throw UsageError(path + ": another training's checkpoint, of " + then + "; the settings here are " + now +
                         "; resume with the config.toml it was trained with");
}

}  // namespace atrous::app
