// Keeps the run folder while a training runs: checkpoints, metrics.csv, log.txt, TensorBoard's
// events, bad_batch.safetensors.
#pragma once

#include <chrono>
#include <vector>

#include "engine/io/event_file.h"
#include "segmentation/bad_batch.h"
#include "segmentation/run_fingerprint.h"
#include "segmentation/run_folder.h"
#include "segmentation/run_log.h"

namespace atrous {

// Several observers as one, called in their order; of a step that is not finite the last is told first, so that who
// shows things comes after who saves them.
class ObserverList : public TrainObserver {
 public:
    explicit ObserverList(std::vector<TrainObserver*> observers) : observers_(std::move(observers)) {}
    void on_step(const StepReport& report) override;
    void on_read() override;
    void on_validation(int64_t images_done, int64_t images) override;
    void on_statistics(int64_t images_done, int64_t images) override;
    void on_validated(const ImageResult& image) override;
    void on_epoch(const EpochReport& report) override;
    void on_warning(const std::string& text) override;
    void on_nonfinite(const BadStep& bad) override;
    bool stop_requested() override;

 private:
    std::vector<TrainObserver*> observers_;
};

class RunLogger : public TrainObserver {
 public:
    RunLogger(const RunFolder& folder, const ModelCard& card, const RunFingerprint& fingerprint,
              const FreezeOptions& freezing, SegmentationNet& net, const Optimizer& optimizer, Trainer& trainer,
              RunLog& log);

    void save_every(int64_t steps) { save_every_ = steps; }  // 0: after each epoch only
    void save();                                             // last.safetensors
    void on_read() override;
    void on_epoch(const EpochReport& report) override;
    void on_warning(const std::string& text) override;
    void on_nonfinite(const BadStep& bad) override;

 private:
    void save_best() const;  // best.safetensors

    const RunFolder& folder_;
    const ModelCard& card_;
    const RunFingerprint& fingerprint_;
    FreezeOptions freezing_;
    SegmentationNet& net_;
    const Optimizer& optimizer_;
    Trainer& trainer_;
    RunLog& log_;
    io::EventFile events_;
    int64_t save_every_ = 0, saved_ = 0;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace atrous
