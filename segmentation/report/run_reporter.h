// Keeps report.json and report.html of a run folder while its training goes on. Neither ever ends a training: where
// they cannot be made or written, one warning says so, and the next epoch tries again. Files of another program stay.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "segmentation/report/image_scores.h"
#include "segmentation/report/run_record.h"
#include "segmentation/report/shown_images.h"
#include "segmentation/report/validation_pixels.h"
#include "segmentation/run_folder.h"
#include "segmentation/run_log.h"
#include "segmentation/training_setup.h"

namespace atrous::report {

// Rows of the steps in the record of a whole training, about.
inline constexpr int64_t step_rows = 2000;
// Counts of pixels that are kept of a validation's images, at most (64 MiB); of more images there are no intervals.
inline constexpr int64_t most_cells = 4 << 20;

// Observes before what saves the epoch's checkpoint: a training that is killed then notes the epoch again.
class RunReporter : public TrainObserver {
 public:
    // The folder's record, where there is one, goes on from where the training stands; both files are written. One that
    // cannot be read becomes report.json.previous.
    RunReporter(const TrainingSetup& setup, const RunFolder& folder, const TrainProgress& progress, int64_t parameters,
                int64_t batches_per_epoch, RunLog& log);

    void on_step(const StepReport& report) override;
    void on_validated(const ImageResult& image) override;
    void on_epoch(const EpochReport& report) override;  // writes report.json

    void end_epoch();  // writes report.html, from what lies in the folder
    bool page_is_written() const { return page_is_written_; }

 private:
    using Clock = std::chrono::steady_clock;
    // Sums over steps, by images.
    struct StepSums {
        double images = 0, loss = 0;
        std::vector<double> terms;
        void add(const StepReport& report);
    };

    void take_up(const TrainProgress& progress, int64_t parameters, int64_t batches_per_epoch);
    bool keeps_others_file();
    void begin_session();
    void write_record();
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
    Json session_;             // until its first step
    bool given_up_ = false;    // for good
    bool unreadable_ = false;  // the record that lies in the folder
    bool warned_ = false;      // of what could not be made or written
    bool incomplete_ = false;  // images of this epoch's validation are missing
    bool page_is_written_ = false, whole_epoch_;
    int64_t steps_in_row_, steps_since_row_ = 0;
    StepSums row_, epoch_;
    ShownImages shown_;
    ValidationPixels pixels_;
    std::vector<ImageScore> images_;
    int64_t cells_ = 0;                                   // of the images' counts
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
