// The training loop: batches in, optimizer steps out, scores after each epoch. Knows nothing of files or terminals.
#pragma once

#include <optional>

#include "engine/host_batch.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "engine/train/evaluate.h"

namespace atrous {

struct TrainerOptions {
    int64_t epochs = 10;
    Schedule schedule = {};
    LossOptions loss = {};
    DType compute = DType::f32;
    int64_t accumulate = 1;   // micro-batches a step; together they weigh as one batch of their joint size
    int ignore_index = 255;   // -1: none
    double aux_weight = 0.5;  // of the auxiliary head's loss, where the net has one
};

// Where a training stands; with the net and the optimizer, all that resuming needs.
struct TrainProgress {
    int64_t epoch = 0;    // being trained, from 0
    int64_t batch = 0;    // next batch of the epoch
    int64_t step = 0;     // optimizer steps done
    double loss_sum = 0;  // of this epoch's steps so far, weighted by images
    int64_t loss_images = 0;
    double best_dice = -1;
    int64_t best_epoch = -1;
};

struct StepReport {
    int64_t epoch, epochs, batch, batches, step;      // batch: done in this epoch
    int64_t images;                                   // of this step
    double loss, cross_entropy, dice, learning_rate;  // cross_entropy: or BCE, focal; dice: or the Tversky index
};

struct EpochReport {
    int64_t epoch, epochs, step;
    double train_loss = 0;
    std::optional<Scores> validation;
    bool best = false;
};

class TrainObserver {
 public:
    virtual ~TrainObserver() = default;
    virtual void on_step(const StepReport&) {}
    virtual void on_epoch(const EpochReport&) {}    // progress already points at the next epoch: a good moment to save
    virtual void on_warning(const std::string&) {}  // something that a training survives and a user should know
    virtual bool stop_requested() { return false; }
};

class Trainer {
 public:
    Trainer(SegmentationNet& net, Optimizer& optimizer, const TrainerOptions& options)
        : net_(net),
          optimizer_(optimizer),
          options_(options),
          loss_(options.loss, net.materialized().device, options.compute) {}

    // Trains from `progress` to the last epoch, or until the observer asks to stop; true if it finished.
    // Throws NumericError, naming the step and its images, where the loss is not finite.
    bool run(BatchSource& training, BatchSource* validation, TrainObserver& observer);
    TrainProgress progress;

 private:
    bool train_epoch(BatchSource& training, TrainObserver& observer);
    StepReport train_step(const std::vector<HostBatch>& window, int64_t count, TrainObserver& observer);

    SegmentationNet& net_;
    Optimizer& optimizer_;
    TrainerOptions options_;
    Loss loss_;
};

}  // namespace atrous
