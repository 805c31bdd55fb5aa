#include "apps/training_profile.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "engine/io/durable_file.h"
#include "engine/io/posix.h"
#include "kernels/base/paths.h"

namespace atrous::app {

void TrainingProfile::check(const std::string& path) {
    const std::string folder = std::filesystem::path(absolute_path(path)).parent_path().string();
    if (is_folder(path)) throw IoError("--profile " + path + ": is a folder; expected a file to write");
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw io::system_error("--profile " + path + ": cannot write to the folder " + folder, errno);
}

void TrainingProfile::on_step() {
    if (over_) return;
    if (!profiler_) {
        profiler_.emplace();
        return;
    }
    profiler_->finish_step();
    if (profiler_->steps() == wanted_) write();
}

void TrainingProfile::write() {
    try {
        io::write_durably(path_, [&](io::FileSink& file) { file.write(profiler_->chrome_trace()); });
    } catch (const IoError& e) {  // no reason to end a training
        failure_ = e.what();
    }
    table_ = profiler_->summary();
    profiler_.reset();
    over_ = true;
}

void TrainingProfile::finish() {
    if (profiler_ && profiler_->steps() > 0) write();
    profiler_.reset();
    if (table_.empty())
        fmt::print("\nno profile: it begins after the first step, and there was no second\n");
    else if (!failure_.empty())
        fmt::print("\n{}warning: no trace was written: {}\n", table_, failure_);
    else
        fmt::print("\n{}wrote {}; open it at ui.perfetto.dev or chrome://tracing\n", table_, path_);
}

}  // namespace atrous::app
