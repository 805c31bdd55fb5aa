#include "apps/training_progress.h"

#include <fmt/core.h>

#include "apps/interrupt.h"
#include "segmentation/score_text.h"

namespace atrous::app {

static constexpr int64_t max_warnings = 3;  // of one training; the same cause tends to come back

TrainingProgress::TrainingProgress(const TrainingRun& run, const Experiment& e)
    : bad_batch_(run.folder().bad_batch()), shown_(run.progress().epoch) {
    progress_.start_epoch(shown_ + 1, e.trainer.epochs, run.batches_per_epoch(), run.progress().batch);
    if (e.run.profile.empty()) return;
    const bool named = e.run.profile != default_profile;
    profile_.emplace(named ? e.run.profile : run.folder().path() + "/profile.json", e.run.profile_steps);
}

void TrainingProgress::on_step(const StepReport& r) {
    if (profile_) profile_->on_step();
    if (r.epoch != shown_) progress_.start_epoch(r.epoch + 1, r.epochs, r.batches, 0);
    shown_ = r.epoch;
    progress_.step(r.batch, r.loss, r.images);
}

void TrainingProgress::on_warning(const std::string& text) {
    if (++warnings_ <= max_warnings) progress_.message("warning: " + with_flags(text));
}

void TrainingProgress::on_validation(int64_t done, int64_t of) { progress_.validating(done, of); }

void TrainingProgress::on_statistics(int64_t done, int64_t of) {
    progress_.validating(done, of, "statistics of the mean");
}

void TrainingProgress::on_epoch(const EpochReport& r) { progress_.end_epoch(epoch_line(r)); }

void TrainingProgress::on_nonfinite(const BadStep& bad) {
    progress_.message(
        fmt::format("step {}: saved its batch and weights; look at them with: atrous replay {}", bad.step, bad_batch_));
}

bool TrainingProgress::stop_requested() { return interrupt_signal() != 0; }

void TrainingProgress::finish() {
    if (profile_) profile_->finish();
}

}  // namespace atrous::app
