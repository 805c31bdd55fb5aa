// Keeps report.json and report.html of a run folder while its training goes on. Neither ever ends a training: what
// cannot be written is given up with a warning.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "segmentation/report/image_scores.h"
#include "segmentation/report/run_record.h"
#include "segmentation/report/shown_images.h"
#include "segmentation/run_folder.h"
#include "segmentation/run_log.h"
#include "segmentation/training_setup.h"

namespace atrous::report {

// Rows of the steps in the record of a whole training, about.
inline constexpr int64_t step_rows = 2000;

// Observes before what saves the epoch's checkpoint: a training that is killed then notes the epoch again.
class RunReporter : public TrainObserver {
 public:
    // The folder's record, where there is one, goes on from where the training stands; both files are written.
    RunReporter(const TrainingSetup& setup, const RunFolder& folder, const TrainProgress& progress, int64_t parameters,
                int64_t batches_per_epoch, RunLog& log);

    void on_step(const StepReport& report) override;
    void on_validated(const ImageResult& image) override;
    void on_epoch(const EpochReport& report) override;  // writes report.json

    void end_epoch();  // writes report.html, from what lies in the folder

 private:
    using Clock = std::chrono::steady_clock;
    // Sums over steps, by images.
    struct StepSums {
        double images = 0, loss = 0;
        std::vector<double> terms;
        void add(const StepReport& report);
    };

    void begin_epoch();
    void write_page();
    void add_row(const StepReport& report);
    void note_best(const EpochReport& report);
    Json epoch_of(const EpochReport& report) const;
    template <class Work>
    void guarded(const Work& work);

    const TrainingSetup& setup_;
    const RunFolder& folder_;
    RunLog& log_;
    Json record_;
    bool given_up_ = false, whole_epoch_;
    int64_t steps_in_row_, steps_since_row_ = 0;
    StepSums row_, epoch_;
    ShownImages shown_;
    std::vector<ImageScore> images_;
    Clock::time_point began_ = Clock::now(), trained_{};  // of the epoch: its begin, the end of its last step
};

// Observes after everything that an epoch leaves in the folder.
class PageWriter : public TrainObserver {
 public:
    explicit PageWriter(RunReporter& reporter) : reporter_(reporter) {}
    void on_epoch(const EpochReport&) override { reporter_.end_epoch(); }

 private:
    RunReporter& reporter_;
};

}  // namespace atrous::report
