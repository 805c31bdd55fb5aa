#include "apps/training_profile.h"

#include <fmt/core.h>

#include "base/durable_file.h"
#include "base/error.h"

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
    try {
        io::write_durably(path_, profiler_->chrome_trace());
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
