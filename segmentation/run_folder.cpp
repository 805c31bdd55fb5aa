#include "segmentation/run_folder.h"

#include <fmt/core.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/durable_file.h"
#include "base/paths.h"
#include "base/posix.h"
#include "base/text.h"
#include "engine/io/event_file.h"
#include "segmentation/outputs.h"
#include "segmentation/score_files.h"

namespace atrous {

namespace fs = std::filesystem;

// Of the metrics.csv of folders from before they were marked.
static const char* unmarked_header =
    "epoch,step,learning_rate,train_loss,val_loss,val_dice,val_image_dice,val_miou,val_pixel_accuracy,seconds";

static std::string csv_header() {
    std::string header = "epoch,step,learning_rate,train_loss,val_loss";
    for (const auto& metric : Metric::catalogue().all()) header += ",val_" + metric->key;
    return header + ",seconds\n";
}

// Makes runs/N: by that, of two that start at once, only one has it.
static std::string new_numbered_folder() {
    make_folders("runs");
    for (int i = 1;; ++i) {
        const std::string path = fmt::format("runs/{}", i);
        if (::mkdir(path.c_str(), 0777) == 0) return path;
        if (errno != EEXIST) throw io::system_error(path + ": the run folder cannot be made", errno);
    }
}

static std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields(1);
    for (const char c : line) c == ',' ? void(fields.emplace_back()) : fields.back().push_back(c);
    return fields;
}

// A row under other columns than it was written under: of a program that knows other metrics.
static std::string under_columns(const std::string& columns, const std::string& row, const std::string& its_columns) {
    const std::vector<std::string> names = fields_of(its_columns), values = fields_of(row);
    std::string fields;
    for (const std::string& column : fields_of(columns)) {
        const size_t at = size_t(std::find(names.begin(), names.end(), column) - names.begin());
        fields += (fields.empty() ? "" : ",") + (at < std::min(names.size(), values.size()) ? values[at] : "");
    }
    return fields;
}

// The heading and the rows of the first `epochs` epochs.
static std::string read_metrics(const std::string& path, int64_t epochs) {
    std::ifstream in(path);
    const std::string header = csv_header(), columns = header.substr(0, header.size() - 1);
    std::string kept = header, its_columns, line;
    std::getline(in, its_columns);
    while (std::getline(in, line))
        if (std::atoll(line.c_str()) <= epochs)
            kept += (its_columns == columns ? line : under_columns(columns, line, its_columns)) + "\n";
    return kept;
}

static std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        names.push_back(at->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

static std::vector<std::string> event_files(const std::string& folder) {
    std::vector<std::string> files;
    for (const std::string& name : names_in(folder))
        if (io::EventFile::is_ours(name)) files.push_back(folder + "/" + name);
    return files;
}

static bool is_same_folder(const std::string& resumed, const std::string& path) {
    return !resumed.empty() && is_folder(path) && same_file(resumed, path);
}

// Of the folder's entries the first that is not the mark; empty where there is none.
static std::string first_entry(const std::string& folder) {
    for (const std::string& name : names_in(folder))
        if (name != run_mark) return name;
    return "";
}

static void check_contents(const std::string& path) {
    const std::string last = path + "/last.safetensors";
    if (path_exists(last) || path_exists(io::previous_of(last)))
        throw UsageError(path + ": holds a training already; go on with `resume` " + path +
                         ", choose another `output-dir`, or start anew in its place with `overwrite`");
    const std::string other = first_entry(path);
    if (!other.empty() && !RunFolder::is_one(path))
        throw UsageError(
            fmt::format("{}: is not empty and no run folder (it holds {}); choose another `output-dir`, or "
                        "write among these files with `overwrite`",
                        path, io::in_quotes(other)));
}

bool RunFolder::is_one(const std::string& folder) {
    if (!is_folder(folder) || is_marked(folder)) return is_folder(folder);
    std::ifstream in(folder + "/metrics.csv");  // of a training from before folders were marked
    std::string line;
    return std::getline(in, line) && line == unmarked_header;
}

void RunFolder::check(const std::string& path, const std::string& resumed, bool overwrite) {
    const std::string folder = path.empty() ? "runs" : path;
    if (!path.empty() && is_folder(path) && !is_same_folder(resumed, path)) {
        RunLock::check_free(path);
        if (!overwrite) check_contents(path);
    }
    struct stat status;
    if (::lstat(folder.c_str(), &status) == 0 && !path_exists(folder))
        throw IoError(folder + ": is a link to what is not there; make that folder, or choose another `output-dir`");
    fs::path there = absolute_path(folder);
    while (!path_exists(there.string()) && there.has_relative_path()) there = there.parent_path();
    if (!is_folder(there.string())) throw IoError(there.string() + ": is no folder, so that no run folder fits there");
    if (::access(there.c_str(), W_OK | X_OK) != 0)
        throw io::system_error(folder + ": the run folder cannot be written to", errno);
}

std::vector<std::string> RunFolder::files_of(const std::string& folder) {
    std::vector<std::string> files;
    for (const char* name : {"last.safetensors", "last.safetensors.previous", "best.safetensors", "samples.png",
                             "metrics.csv", "bad_batch.safetensors", "config.toml", "confusion.csv", "log.txt",
                             "report.json", "report.json.previous", "report.html", run_mark})
        files.push_back(folder + "/" + name);
    return files;
}

RunFolder::RunFolder(std::string path, const std::string& resumed, bool overwrite, RunLock lock, Messages& messages)
    : path_(path.empty() ? new_numbered_folder() : std::move(path)), lock_(std::move(lock)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    check(path_, resumed, overwrite);
    const bool goes_on = is_same_folder(resumed, path_);
    make_folders(path_);
    if (!lock_.held()) lock_ = RunLock::for_training(path_, messages);
    if (!goes_on && !overwrite) check_contents(path_);  // another training may have begun and ended meanwhile
    lock_.begin();
    for (const auto& file : files_of(path_)) io::remove_stale_temporaries(file);
    if (goes_on) return;
    remove_earlier_training();
    io::write_durably(metrics(), csv_header());
    if (!resumed.empty()) continue_from(resumed, messages);
}

// What a training left that was killed before its first checkpoint, or that `overwrite` gives up. Its config.toml,
// which may be what this training was started with, is replaced later.
void RunFolder::remove_earlier_training() const {
    std::vector<std::string> files{
        last(),   io::previous_of(last()),   best(), samples(), bad_batch(), confusion(), log(),
        record(), io::previous_of(record()), page()};
    for (const std::string& file : event_files(path_)) files.push_back(file);
    for (const std::string& file : files)
        if (::unlink(file.c_str()) != 0 && errno != ENOENT)
            throw io::system_error("cannot remove " + file + " of an earlier training", errno);
}

static void copy_durably(const std::string& from, const std::string& to) {
    std::ifstream in(from, std::ios::binary);
    io::write_durably(to, [&](io::FileSink& sink) {
        std::vector<char> buffer(1 << 20);
        while (in.read(buffer.data(), std::streamsize(buffer.size())) || in.gcount() > 0)
            sink.write(buffer.data(), size_t(in.gcount()));
    });
}

// What the report knows is worth less than the training.
static void copy_record(const std::string& from, const std::string& to, Messages& messages) {
    try {
        if (path_exists(from) && is_replaceable(from, FileKind::json)) copy_durably(from, to);
    } catch (const Error& e) {
        messages.warning(fmt::format("{}; the report begins anew", e.what()));
    }
}

void RunFolder::continue_from(const std::string& other, Messages& messages) const {
    io::write_durably(metrics(), read_metrics(other + "/metrics.csv", std::numeric_limits<int64_t>::max()));
    for (const std::string& file : event_files(other)) copy_durably(file, path_ + file.substr(other.size()));
    if (path_exists(other + "/best.safetensors")) copy_durably(other + "/best.safetensors", best());
    if (path_exists(other + "/log.txt")) copy_durably(other + "/log.txt", log());
    copy_record(other + "/report.json", record(), messages);
}

void RunFolder::write_config(const std::string& toml) const { io::write_durably(path_ + "/config.toml", toml); }

void RunFolder::write_samples(const std::vector<uint8_t>& png) const { io::write_durably(samples(), png); }

void RunFolder::truncate_metrics(int64_t epochs) const {
    io::write_durably(metrics(), read_metrics(metrics(), epochs));
}

void RunFolder::append_metrics(const EpochReport& r, double seconds) const {
    const Scores none;
    const Scores& s = r.validation ? *r.validation : none;
    std::string scores = csv_number(s.loss);
    for (const auto& metric : Metric::catalogue().all()) scores += "," + csv_number(s.of(metric->key));
    const std::string row = fmt::format("{},{},{:.6g},{:.6f},{},{:.2f}\n", r.epoch + 1, r.step, r.learning_rate,
                                        r.train_loss, scores, seconds);
    io::write_durably(metrics(), read_metrics(metrics(), r.epoch) + row);
}

}  // namespace atrous
