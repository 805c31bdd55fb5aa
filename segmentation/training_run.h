// A training while it runs: the net, its data, and the folder that it writes.
#pragma once

#include <memory>
#include <optional>

#include "engine/host_batch.h"
#include "segmentation/run_folder.h"
#include "segmentation/run_log.h"
#include "segmentation/run_logger.h"
#include "segmentation/training_setup.h"

namespace atrous {

namespace report {
class RunReporter;
}

class TrainingRun {
 public:
    // Makes the net and takes memory for it; then makes the run folder, once all that can be refused has been, in which
    // the log is kept from there on.
    TrainingRun(TrainingSetup& setup, RunLog& log);
    TrainingRun(TrainingSetup& setup, Messages& messages);  // with a log of its own, which begins here

    ~TrainingRun();

    // Trains to the end, or until the observer asks to stop, and saves; false in the last case.
    bool train(TrainObserver& observer);
    // Reports scores, tables and the contact sheet of the best checkpoint, or of the last one where no epoch was the
    // best or its file was lost. Reports nothing where no sample validates.
    void report_result();

    const TrainProgress& progress() const { return trainer_->progress; }
    const RunFolder& folder() const { return *folder_; }
    int64_t batches_per_epoch() const { return source_->batches_per_epoch(); }
    bool out_of_patience() const { return is_out_of_patience(trainer_->progress, e_.trainer); }

 private:
    void start();
    void score_untrained();
    std::unique_ptr<SegmentationNet> windowed(SegmentationNet& net) const;
    void open_folder();

    TrainingSetup& setup_;
    const Experiment& e_;
    std::unique_ptr<RunLog> own_log_;
    RunLog& log_;
    std::unique_ptr<SegmentationNet> net_, windowed_;  // windowed_: the net as validations see it; null: as it is
    std::unique_ptr<BatchSource> source_, validation_;
    Scores untrained_;
    std::unique_ptr<Optimizer> optimizer_;
    std::unique_ptr<Trainer> trainer_;
    std::optional<RunFolder> folder_;
    std::unique_ptr<report::RunReporter> reporter_;
    std::optional<RunLogger> logger_;
};

}  // namespace atrous
