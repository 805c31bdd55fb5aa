#include "segmentation/resumed_run.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/paths.h"
#include "base/posix.h"
#include "segmentation/run_folder.h"

namespace atrous {

namespace fs = std::filesystem;

static const char* checkpoint_name = "last.safetensors";

std::string run_folder_of(const std::string& folder_or_file) {
    if (is_folder(folder_or_file)) return folder_or_file;
    const std::string folder = fs::path(folder_or_file).parent_path().string();
    return folder.empty() ? "." : folder;
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
                       ? fmt::format(" with: atrous train `config` {0}/config.toml `output-dir` {0}", folder_or_file)
                       : ""));
}

// Null where there is no such file or it is damaged.
static std::unique_ptr<io::SafetensorsFile> open_whole(const std::string& path) {
    if (!path_exists(path)) return nullptr;
    try {
        return std::make_unique<io::SafetensorsFile>(path);
    } catch (const FormatError&) {
        return nullptr;
    }
}

// The previous checkpoint in the place of the last one, where that is lost and the previous one was asked for.
static void settle_previous(ResumedRun& run, Messages& messages) {
    const std::string last = (fs::path(run.path).parent_path() / checkpoint_name).string();
    if (run.path != io::previous_of(last) || open_whole(last)) return;
    if (std::rename(run.path.c_str(), last.c_str()) != 0)
        throw io::system_error("cannot put " + run.path + " in the place of " + last, errno);
    messages.text(fmt::format("{} takes the place of {}, which is missing or damaged\n", run.path, last));
    run.path = last;
    run.file = std::make_unique<io::SafetensorsFile>(last);
}

ResumedRun open_resumed_run(RunOptions& options, bool output_dir_given, Messages& messages) {
    ResumedRun run;
    run.folder = run_folder_of(options.resume);
    if (!output_dir_given || options.output_dir.empty()) options.output_dir = run.folder;
    run.in_place = same_file(run.folder, options.output_dir);
    if (run.in_place && !RunFolder::is_one(run.folder) && !options.overwrite)
        throw UsageError(
            fmt::format("{}: is no run folder; say with `output-dir` where the training is to go on, or write among "
                        "the files there with `overwrite`",
                        run.folder));
    // Locked before anything in it is looked at or moved.
    const bool writes = run.in_place && !options.dry_run;
    run.lock = writes ? RunLock::for_training(run.folder, messages) : RunLock::for_reading(run.folder, messages);
    run.path = checkpoint_to_resume(options.resume);
    run.file = std::make_unique<io::SafetensorsFile>(run.path);
    if (writes) settle_previous(run, messages);
    options.resume = run.path;
    run.card = model_card_of(*run.file);
    run.progress = io::training_progress(*run.file);
    return run;
}

// The net and what follows from the data: settings that decide about them are compared by compare() too, which names
// them as they are given.
static void check_cards(const ModelCard& mine, const ModelCard& saved, const std::string& path) {
    auto here = nlohmann::json::parse(text_of(mine));
    const auto there = nlohmann::json::parse(text_of(saved));
    here.erase("split");    // a training may go on with more samples than it began with
    here.erase("threads");  // another machine has another number; whoever resumes is warned
    // Likewise follow from the samples and what lies beside them; older checkpoints lack the first.
    for (const char* key : {"source_sizes", "class_names", "colours"}) here.erase(key);
    std::string then, now;
    for (const auto& [name, value] : here.items())
        if (const auto before = there.value(name, nlohmann::json()); value != before) {
            then += (then.empty() ? "" : ", ") + name + " " + (before.is_null() ? "unknown" : before.dump());
            now += (now.empty() ? "" : ", ") + name + " " + value.dump();
        }
    if (!now.empty())
        throw UsageError(path + ": another training's checkpoint, of " + then + "; the settings here are " + now +
                         "; resume with the config.toml it was trained with");
}

void check_resumption(ResumedRun& run, const Settings& settings, const Experiment& e, const ModelCard& card,
                      const RunFingerprint& fingerprint, Messages& messages) {
    FingerprintChanges changes;
    if (const auto saved = saved_fingerprint(*run.file))
        changes = compare(settings, fingerprint, *saved, run.progress, run.path);
    check_cards(card, run.card, run.path);
    TrainProgress& p = run.progress;
    const std::string best = run.folder + "/best.safetensors";
    const bool lost = p.best_epoch >= 0 && !open_whole(best);
    if (lost) changes.warnings.push_back(best + ": missing or damaged; the best of the epochs to come takes its place");
    if (lost || changes.other_validation) p.best_epoch = -1;
    // A schedule that goes by the validation starts anew where the validation set or the monitored score changed, not
    // where best.safetensors is lost.
    const bool other_score = p.monitor != e.trainer.monitor;
    if (changes.other_validation || other_score) p.schedule.seen = false;
    if (p.best_epoch >= 0 && other_score)
        throw UsageError(fmt::format("{}: its best epoch was found by {}; resume with `monitor` {}", run.path,
                                     p.monitor, p.monitor));
    for (const auto& warning : changes.warnings) messages.warning(warning);
}

}  // namespace atrous
