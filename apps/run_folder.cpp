#include "apps/run_folder.h"

#include <fmt/core.h>

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/io/durable_file.h"
#include "engine/io/event_file.h"
#include "engine/io/posix.h"

namespace atrous::app {

namespace fs = std::filesystem;

static const char* csv_header =
    "epoch,step,learning_rate,train_loss,val_loss,val_dice,val_image_dice,val_miou,val_pixel_accuracy,seconds\n";

static std::string free_folder() {
    for (int i = 1;; ++i)
        if (const std::string path = fmt::format("runs/{}", i); !fs::exists(path)) return path;
}

static void write_text(const std::string& path, const std::string& text) {
    io::write_durably(path, [&](io::FileSink& sink) { sink.write(std::string_view(text)); });
}

// The heading and the rows of the first `epochs` epochs.
static std::string read_metrics(const std::string& path, int64_t epochs) {
    std::ifstream in(path);
    std::string kept = csv_header, line;
    std::getline(in, line);
    while (std::getline(in, line))
        if (std::atoll(line.c_str()) <= epochs) kept += line + "\n";
    return kept;
}

static std::vector<std::string> event_files(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.path().filename().string().starts_with(io::EventFile::name_prefix))
            files.push_back(entry.path().string());
    return files;
}

static bool is_same_folder(const std::string& resumed, const std::string& path) {
    std::error_code error;
    return !resumed.empty() && fs::equivalent(resumed, path, error);
}

void RunFolder::check(const std::string& path, const std::string& resumed) {
    const fs::path folder = path.empty() ? fs::path("runs") : fs::path(path);
    const std::string last = (folder / "last.safetensors").string();
    if (!path.empty() && !is_same_folder(resumed, path) && (fs::exists(last) || fs::exists(io::previous_of(last))))
        throw UsageError(path + ": holds a training already; go on with --resume " + path +
                         ", or choose another --output-dir");
    fs::path there = fs::absolute(folder).lexically_normal();
    std::error_code error;
    while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
    if (!fs::is_directory(there, error))
        throw IoError(there.string() + ": is no folder, so that no run folder fits there");
    if (::access(there.c_str(), W_OK | X_OK) != 0)
        throw io::system_error(folder.string() + ": the run folder cannot be written to", errno);
}

RunFolder::RunFolder(std::string path, const std::string& resumed)
    : path_(path.empty() ? free_folder() : std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    check(path_, resumed);
    const bool goes_on = is_same_folder(resumed, path_);
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw IoError(path_ + ": the run folder cannot be made: " + error.message());
    for (const auto& file :
         {last(), best(), samples(), metrics(), bad_batch(), path_ + "/config.toml", path_ + "/confusion.csv"})
        io::remove_stale_temporaries(file);
    if (goes_on) return;
    write_text(metrics(), csv_header);  // rows of a run that was killed before its first checkpoint go
    for (const std::string& file : event_files(path_)) fs::remove(file, error);
    if (!resumed.empty()) continue_from(resumed);
}

static void copy_durably(const std::string& from, const std::string& to) {
    std::ifstream in(from, std::ios::binary);
    io::write_durably(to, [&](io::FileSink& sink) {
        std::vector<char> buffer(1 << 20);
        while (in.read(buffer.data(), std::streamsize(buffer.size())) || in.gcount() > 0)
            sink.write(buffer.data(), size_t(in.gcount()));
    });
}

void RunFolder::continue_from(const std::string& other) const {
    write_text(metrics(), read_metrics(other + "/metrics.csv", std::numeric_limits<int64_t>::max()));
    for (const std::string& file : event_files(other))
        copy_durably(file, path_ + "/" + fs::path(file).filename().string());
    if (fs::exists(other + "/best.safetensors")) copy_durably(other + "/best.safetensors", best());
}

void RunFolder::write_config(const std::string& toml) const { write_text(path_ + "/config.toml", toml); }

void RunFolder::write_samples(const std::vector<uint8_t>& png) const {
    io::write_durably(samples(), [&](io::FileSink& sink) { sink.write(png.data(), png.size()); });
}

void RunFolder::truncate_metrics(int64_t epochs) const { write_text(metrics(), read_metrics(metrics(), epochs)); }

void RunFolder::append_metrics(const EpochReport& r, double seconds) const {
    std::string scores = ",,,,";
    if (const auto& s = r.validation)
        scores = fmt::format("{:.6f},{:.6f},{:.6f},{:.6f},{:.6f}", s->loss, s->dice, s->image_dice, s->mean_iou,
                             s->pixel_accuracy);
    const std::string row = fmt::format("{},{},{:.6g},{:.6f},{},{:.2f}\n", r.epoch + 1, r.step, r.learning_rate,
                                        r.train_loss, scores, seconds);
    write_text(metrics(), read_metrics(metrics(), r.epoch) + row);
}

}  // namespace atrous::app
