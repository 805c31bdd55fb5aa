#include "apps/run_folder.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/io/durable_file.h"

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

RunFolder::RunFolder(std::string path, const std::string& resumed)
    : path_(path.empty() ? free_folder() : std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    std::error_code error;
    const bool goes_on = !resumed.empty() && fs::equivalent(resumed, path_, error);
    if (!goes_on && (fs::exists(last()) || fs::exists(io::previous_of(last()))))
        throw UsageError(path_ + ": holds a training already; go on with --resume " + path_ +
                         ", or choose another --output-dir");
    fs::create_directories(path_, error);
    if (error) throw IoError(path_ + ": the run folder cannot be made: " + error.message());
    for (const auto& file :
         {last(), best(), samples(), metrics(), bad_batch(), path_ + "/config.toml", path_ + "/confusion.csv"})
        io::remove_stale_temporaries(file);
    if (goes_on) return;
    write_text(metrics(), csv_header);  // rows of a run that was killed before its first checkpoint go
    if (!resumed.empty()) continue_from(resumed);
}

void RunFolder::continue_from(const std::string& other) const {
    write_text(metrics(), read_metrics(other + "/metrics.csv", std::numeric_limits<int64_t>::max()));
    if (!fs::exists(other + "/best.safetensors")) return;
    std::ifstream in(other + "/best.safetensors", std::ios::binary);
    io::write_durably(best(), [&](io::FileSink& sink) {
        std::vector<char> buffer(1 << 20);
        while (in.read(buffer.data(), std::streamsize(buffer.size())) || in.gcount() > 0)
            sink.write(buffer.data(), size_t(in.gcount()));
    });
}

void RunFolder::write_config(const std::string& toml) const { write_text(path_ + "/config.toml", toml); }

void RunFolder::write_samples(const std::vector<uint8_t>& png) const {
    io::write_durably(samples(), [&](io::FileSink& sink) { sink.write(png.data(), png.size()); });
}

void RunFolder::truncate_metrics(int64_t epochs) const { write_text(metrics(), read_metrics(metrics(), epochs)); }

void RunFolder::append_metrics(const EpochReport& r, double seconds) const {
    const Scores s = r.validation.value_or(Scores{});
    const std::string row =
        fmt::format("{},{},{:.6g},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.2f}\n", r.epoch + 1, r.step,
                    r.learning_rate, r.train_loss, s.loss, s.dice, s.image_dice, s.mean_iou, s.pixel_accuracy, seconds);
    write_text(metrics(), read_metrics(metrics(), r.epoch) + row);
}

}  // namespace atrous::app
