#include "apps/run_folder.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/io/durable_file.h"

namespace atrous::app {

namespace fs = std::filesystem;

static const char* csv_header =
    "epoch,step,learning_rate,train_loss,val_loss,val_dice,val_image_dice,val_miou,val_pixel_accuracy,seconds\n";

static std::string free_folder() {
    for (int i = 1;; ++i)
        if (const std::string path = fmt::format("runs/{}", i); !fs::exists(path)) return path;
}

RunFolder::RunFolder(std::string path, bool resuming) : path_(path.empty() ? free_folder() : std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    if (!resuming && fs::exists(last()))
        throw UsageError(path_ + ": holds a training already; go on with --resume " + path_ +
                         ", or choose another --output-dir");
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw IoError(path_ + ": the run folder cannot be made: " + error.message());
    if (!resuming && !fs::exists(path_ + "/metrics.csv"))
        io::write_durably(path_ + "/metrics.csv", [](io::FileSink& sink) { sink.write(std::string_view(csv_header)); });
}

void RunFolder::write_config(const std::string& toml) const {
    io::write_durably(path_ + "/config.toml", [&](io::FileSink& sink) { sink.write(std::string_view(toml)); });
}

void RunFolder::truncate_metrics(int64_t epoch) const {
    std::ifstream in(path_ + "/metrics.csv");
    std::string kept = csv_header;
    bool first = true;
    for (std::string line; std::getline(in, line); first = false)
        if (!first && std::atoll(line.c_str()) <= epoch) kept += line + "\n";
    io::write_durably(path_ + "/metrics.csv", [&](io::FileSink& sink) { sink.write(std::string_view(kept)); });
}

void RunFolder::append_metrics(const EpochReport& r, double learning_rate, double seconds) const {
    std::ofstream out(path_ + "/metrics.csv", std::ios::app);
    const Scores s = r.validation.value_or(Scores{});
    out << fmt::format("{},{},{:.6g},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.2f}\n", r.epoch + 1, r.step,
                       learning_rate, r.train_loss, s.loss, s.dice, s.image_dice, s.mean_iou, s.pixel_accuracy,
                       seconds);
    if (!out.flush()) throw IoError(path_ + "/metrics.csv: cannot be written; is the disk full?");
}

}  // namespace atrous::app
