// A training as the terminal shows it: the bar, a line an epoch, warnings, and the profile that was asked for.
#pragma once

#include <optional>

#include "apps/training_profile.h"
#include "apps/ui/progress.h"
#include "segmentation/training_run.h"

namespace atrous::app {

class TrainingProgress : public TrainObserver {
 public:
    // `first`: batches of the epoch that are done.
    TrainingProgress(const TrainingRun& run, const Experiment& experiment);

    void on_step(const StepReport& report) override;
    void on_warning(const std::string& text) override;
    void on_validation(int64_t images_done, int64_t images) override;
    void on_statistics(int64_t images_done, int64_t images) override;
    void on_epoch(const EpochReport& report) override;
    void on_nonfinite(const BadStep& bad) override;
    bool stop_requested() override;
    void finish();  // the profile's table

 private:
    Progress progress_{{.lines = stdout}};
    std::optional<TrainingProfile> profile_;
    std::string bad_batch_;  // where a step that is not finite is saved
    int64_t shown_, warnings_ = 0;
};

}  // namespace atrous::app
