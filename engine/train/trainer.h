// The training loop: batches in, optimizer steps out, scores after each epoch. It knows nothing of files or terminals.
#pragma once

#include <optional>

#include "engine/host_batch.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "engine/optim/swa.h"
#include "engine/train/diagnosis.h"
#include "engine/train/evaluate.h"
#include "engine/train/training_step.h"

namespace atrous {

struct TrainerOptions {
    int64_t epochs = 10;
    Schedule schedule = {};
    LossFactory loss = bce_dice_loss();
    DType compute = DType::f32;
    int64_t accumulate = 1;  // micro-batches a step; together they weigh as one batch of their joint size
    int ignore_index = 255;  // -1: none
    int64_t read_every = 0;  // steps between looks at the loss; 0: 1 on the cpu, 16 on a GPU
    bool graphs = true;      // record the step where the device can
    double aux_weight = default_aux_weight;  // of the auxiliary head's loss, where the net has one
    std::string monitor = "dice";  // the validation score that decides which epoch is the best: one of monitor_words()
    int64_t patience_stop = 0;     // the training ends after so many epochs without a better one; 0: never
    SwaOptions swa = {};           // where it is on, the optimizer keeps a mean
};

void describe(Settings& settings, TrainerOptions& options);  // the schedule too; not the loss, nor what a machine has

// Progress says where a training stands; with the net and the optimizer it is all that resuming needs.
struct TrainProgress {
    int64_t epoch = 0;    // being trained, from 0
    int64_t batch = 0;    // next batch of the epoch
    int64_t step = 0;     // optimizer steps done
    double loss_sum = 0;  // of this epoch's steps so far, weighted by images
    int64_t loss_images = 0;
    double best_score = 0;               // of best_epoch: the monitored score, negative where less is better
    double best_loss = undefined_score;  // of best_epoch's validation: of equal scores the lower loss is better
    int64_t best_epoch = -1;             // -1: no epoch had a score or a loss yet
    std::string monitor = "dice";        // what best_score is; the trainer's, once there is one
    ScheduleState schedule = {};
    int64_t averaged_until = 0;  // the epoch behind the last one whose weights entered the optimizer's mean
};

// patience_stop epochs went by without a better one.
bool is_out_of_patience(const TrainProgress& progress, const TrainerOptions& options);

struct StepReport {
    int64_t epoch, epochs, batch, batches, step;  // batch: done in this epoch
    int64_t images;                               // of this step
    double loss;
    std::vector<std::pair<std::string, double>> terms;  // of the loss, by name
    double learning_rate, grad_norm, loss_scale;
};

struct EpochReport {
    int64_t epoch, epochs, step;
    double train_loss = 0, learning_rate = 0;  // the rate of the last step
    std::optional<Scores> validation;
    bool best = false;
    std::string monitor = "dice";  // TrainerOptions::monitor
};

struct BadStep {
    int64_t epoch, step;     // step from 1
    const HostBatch* batch;  // of the step's micro-batches the one that is to blame, else the first
    const StepDiagnosis* diagnosis;
    StepConditions conditions;  // of that micro-batch
};

class TrainObserver {
 public:
    virtual ~TrainObserver() = default;
    virtual void on_step(const StepReport&) {}
    // Every step submitted so far has been reported: progress, net and optimizer agree, so that they can be saved
    // within an epoch. After each step on the cpu, every read_every steps on a GPU.
    virtual void on_read() {}
    virtual void on_validation(int64_t images_done, int64_t images) { (void)images_done, (void)images; }
    // The pass over the training's images that finds batch norm's statistics for a mean, before the validation.
    virtual void on_statistics(int64_t images_done, int64_t images) { (void)images_done, (void)images; }
    virtual void on_validated(const ImageResult&) {}  // each validation image, in their order
    virtual void on_epoch(const EpochReport&) {}    // progress already points at the next epoch: a good moment to save
    virtual void on_warning(const std::string&) {}  // something that a training survives and a user should know
    // The step's gradients are not finite, and NumericError follows: the last moment to save the batch.
    virtual void on_nonfinite(const BadStep&) {}
    virtual bool stop_requested() { return false; }
};

// TrainerOptions::read_every, with 0 resolved for the device.
int64_t read_interval(int64_t read_every, Device device);

class Trainer {
 public:
    Trainer(SegmentationNet& net, Optimizer& optimizer, const TrainerOptions& options);

    // Trains from `progress` to the last epoch, to the end of its patience, or until the observer asks to stop; false
    // in the last case. UsageError where `progress` knows its best epoch by another score than the options monitor.
    // Throws DataError for a label out of range (engine/train/label_check.h) when the figures of its step are read. The net
    // was trained on it then, but the observer hears of no step from there on, so that nobody saves these weights.
    // Throws NumericError where gradients are not finite, naming the step, the first bad layer and the images; with a
    // dynamic loss scale only where the smallest scale does not help.
    bool run(BatchSource& training, BatchSource* validation, TrainObserver& observer);
    // Validations score `view` in place of the net: the same net, seen in another way. It lives longer than this.
    void validate_through(SegmentationNet& view) { validated_ = &view; }
    TrainProgress progress;

 private:
    // A step that was submitted and whose figures were not read yet.
    struct Pending {
        int64_t first_batch, count, images, step;
        double learning_rate;
        std::string names;  // of its images
    };
    bool train_epoch(BatchSource& training, TrainObserver& observer);
    // At the end of an averaged epoch: adds its weights to the mean and finds batch norm's statistics for it. False:
    // stopped, to be done anew.
    bool average(BatchSource& training, TrainObserver& observer);
    void forget_earlier_epochs();
    std::optional<Scores> validate(BatchSource& validation, TrainObserver& observer);  // empty: stopped
    void submit(const std::vector<HostBatch>& window, int64_t count);
    void report(BatchSource& training, TrainObserver& observer);
    double learning_rate_at(int64_t step, int64_t batch) const;  // of the step that has this batch of the epoch
    // Tells whether the epoch is the best. A schedule that goes by the validation sees its score.
    bool update_best(const std::optional<Scores>& validation, TrainObserver& observer);
    void warn_of(const Scores& validation, TrainObserver& observer);
    void warn_of_collapse(const Scores& validation, TrainObserver& observer);
    bool is_bad(const StepLogEntry& entry);
    std::vector<HostBatch> window_of(const Pending& pending, BatchSource& training);  // once more, from the source
    [[noreturn]] void refuse_labels(const Pending& pending, const StepLogEntry& entry, BatchSource& training);
    [[noreturn]] void refuse(const Pending& pending, const StepLogEntry& entry, BatchSource& training,
                             TrainObserver& observer);

    SegmentationNet& net_;
    SegmentationNet* validated_ = &net_;
    Optimizer& optimizer_;
    TrainerOptions options_;
    std::unique_ptr<LossFunction> loss_;
    TrainingStep step_;
    std::vector<Pending> pending_;
    int64_t bad_in_a_row_ = 0;
    bool warned_of_undefined_ = false, warned_of_collapse_ = false;
    int64_t collapsed_epochs_ = 0;  // in a row, with one class everywhere
};

}  // namespace atrous
