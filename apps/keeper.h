// Watches a training for the program.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cmath>

#include "apps/bad_batch.h"
#include "apps/course.h"
#include "apps/interrupt.h"
#include "apps/run_folder.h"
#include "apps/session.h"
#include "apps/training_profile.h"
#include "apps/ui/progress.h"
#include "engine/io/event_file.h"

namespace atrous::app {

// Shows the training on the terminal and keeps the run folder.
class Keeper : public TrainObserver {
 public:
    Keeper(const RunFolder& folder, const Recipe& recipe, const Course& course, const Freezing& freezing,
           SegmentationNet& net, const Optimizer& optimizer, Trainer& trainer)
        : folder_(folder),
          recipe_(recipe),
          course_(course),
          freezing_(freezing),
          net_(net),
          optimizer_(optimizer),
          trainer_(trainer),
          events_(folder.path(), first_step_to_come(trainer.progress)),
          saved_(trainer.progress.step) {}

    void start_epoch(int64_t epoch, int64_t epochs, int64_t batches, int64_t first) {
        progress_.start_epoch(epoch + 1, epochs, batches, first);
        shown_ = epoch;
    }
    void profile(TrainingProfile& profile) { profile_ = &profile; }
    void save_every(int64_t steps) { save_every_ = steps; }  // 0: after each epoch only
    void on_read() override {
        if (save_every_ > 0 && trainer_.progress.step - saved_ >= save_every_) save();
    }
    void on_step(const StepReport& r) override {
        if (profile_) profile_->on_step();
        if (r.epoch != shown_) start_epoch(r.epoch, r.epochs, r.batches, 0);
        progress_.step(r.batch, r.loss, r.images);
    }
    void on_warning(const std::string& text) override {
        if (++warnings_ <= most_warnings) progress_.message("warning: " + text);
    }
    void on_epoch(const EpochReport& r) override {
        std::string line = fmt::format("train loss {:.4f}", r.train_loss);
        if (r.validation)
            line += fmt::format(", val loss {}, Dice {} (images {}), mIoU {}{}", score_text(r.validation->loss),
                                score_text(r.validation->dice), score_text(r.validation->image_dice),
                                score_text(r.validation->mean_iou), r.best ? ", best" : "");
        progress_.end_epoch(line);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
        if (r.best) io::save_weights(folder_.best(), net_, to_metadata(recipe_));
        folder_.append_metrics(r, seconds);
        events_.write(r.step, scalars_of(r));
        save();
        began_ = std::chrono::steady_clock::now();
    }
    void on_nonfinite(const BadStep& bad) override {
        save_bad_batch(folder_.bad_batch(), net_, recipe_, bad, freezing_);
        progress_.message(fmt::format("step {}: saved its batch and weights; look at them with: atrous replay {}",
                                      bad.step, folder_.bad_batch()));
    }
    bool stop_requested() override { return interrupt_signal() != 0; }
    void save() {
        saved_ = trainer_.progress.step;
        io::Metadata metadata = to_metadata(recipe_);
        add_to(metadata, course_);
        io::save_training(folder_.last(), net_, optimizer_, trainer_.progress, metadata);
    }

 private:
    // An epoch's scores stand at its last step, and are written before the checkpoint that says it is over: where the
    // training stands behind that step but within the epoch, they come again.
    static int64_t first_step_to_come(const TrainProgress& p) { return p.batch > 0 ? p.step : p.step + 1; }
    static std::vector<std::pair<std::string, double>> scalars_of(const EpochReport& r) {
        std::vector<std::pair<std::string, double>> all{{"loss/train", r.train_loss},
                                                        {"learning_rate", r.learning_rate}};
        if (const auto& s = r.validation)
            all.insert(all.end(), {{"loss/validation", s->loss},
                                   {"score/dice", s->dice},
                                   {"score/image_dice", s->image_dice},
                                   {"score/miou", s->mean_iou},
                                   {"score/pixel_accuracy", s->pixel_accuracy}});
        std::erase_if(all, [](const auto& scalar) { return !std::isfinite(scalar.second); });
        return all;
    }

    const RunFolder& folder_;
    const Recipe& recipe_;
    const Course& course_;
    Freezing freezing_;
    SegmentationNet& net_;
    const Optimizer& optimizer_;
    Trainer& trainer_;
    io::EventFile events_;
    Progress progress_{{.lines = stdout}};
    static constexpr int64_t most_warnings = 3;  // of one training; the same cause tends to come back
    int64_t shown_ = -1, warnings_ = 0, save_every_ = 0, saved_ = 0;
    TrainingProfile* profile_ = nullptr;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace atrous::app
