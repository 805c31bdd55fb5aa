#include "apps/training_profile.h"

#include <fmt/core.h>

#include "engine/io/durable_file.h"

namespace atrous::app {

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
    io::write_durably(path_, [&](io::FileSink& file) { file.write(profiler_->chrome_trace()); });
    table_ = profiler_->summary();
    profiler_.reset();
    over_ = true;
}

void TrainingProfile::finish() {
    if (profiler_ && profiler_->steps() > 0) write();
    profiler_.reset();
    if (table_.empty())
        fmt::print("\nno profile: it begins after the first step, and there was no second\n");
    else
        fmt::print("\n{}wrote {}; open it at ui.perfetto.dev or chrome://tracing\n", table_, path_);
}

}  // namespace atrous::app
