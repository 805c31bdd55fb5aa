#include "engine/train/trainer.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <utility>

#include "engine/ops/dropout.h"
#include "engine/profile.h"
#include "engine/train/batch_norm_statistics.h"
#include "engine/train/label_check.h"

namespace atrous {

static std::string names_of(const std::vector<HostBatch>& window, int64_t count) {
    std::string names;
    for (int64_t i = 0; i < count; ++i)
        for (const auto& name : window[size_t(i)].names) names += (names.empty() ? "" : ", ") + name;
    return names;
}

static constexpr int64_t max_bad_steps = 64;  // in a row, with a dynamic loss scale: 2^24 / 2^64 is 0

void describe(Settings& s, TrainerOptions& o) {
    s.bind("epochs", o.epochs, "passes over the training samples").min(1).when_resumed(Resume::free);
    s.bind("accumulate", o.accumulate, "batches a step").min(1).max(65536);
    describe(s, o.schedule);
    s.bind("monitor", o.monitor, "validation score that says which epoch is the best").one_of(monitor_words());
    s.bind("patience-stop", o.patience_stop, "epochs without a better one after which the training ends; 0: never")
        .min(0);
    describe(s, o.swa);
}

int64_t read_interval(int64_t read_every, Device device) {
    return read_every > 0 ? read_every : device.kind == DeviceKind::gpu ? 16 : 1;
}

Trainer::Trainer(SegmentationNet& net, Optimizer& optimizer, const TrainerOptions& options)
    : net_(net),
      optimizer_(optimizer),
      options_(options),
      loss_(options.loss(net.materialized().device, options.compute)),
      step_(net, optimizer, *loss_,
            {.compute = options.compute,
             .aux_weight = options.aux_weight,
             .scale_loss = optimizer.options().dynamic_loss_scale,
             .graphs = options.graphs,
             .log_capacity = read_interval(options.read_every, net.materialized().device)}) {
    options_.read_every = read_interval(options.read_every, net.materialized().device);
}

void Trainer::submit(const std::vector<HostBatch>& window, int64_t count) {
    Pending p{progress.batch,         count, 0, progress.step + 1, learning_rate_at(progress.step, progress.batch),
              names_of(window, count)};
    for (int64_t i = 0; i < count; ++i) p.images += window[size_t(i)].n;
    {
        const ProfileScope span("step", "step");
        step_.run(window.data(), count, p.learning_rate);
    }
    pending_.push_back(std::move(p));
    progress.batch += count;
    ++progress.step;
}

bool Trainer::is_bad(const StepLogEntry& entry) {
    const bool bad = entry.nonfinite || !std::isfinite(entry.loss);
    bad_in_a_row_ = bad ? bad_in_a_row_ + 1 : 0;
    return optimizer_.options().dynamic_loss_scale ? bad_in_a_row_ >= max_bad_steps : bad;
}

static std::vector<std::pair<std::string, double>> named_terms(const LossFunction& loss, const StepLogEntry& entry) {
    std::vector<std::pair<std::string, double>> terms;
    for (const LossTerm& term : loss.terms()) terms.emplace_back(term.name, entry.terms[terms.size()]);
    return terms;
}

// Figures of every step submitted so far, in order.
void Trainer::report(BatchSource& training, TrainObserver& observer) {
    const auto entries = [&] {
        const ProfileScope waiting("read the loss", "wait");
        return step_.read();
    }();
    const auto pending = std::exchange(pending_, {});
    for (size_t i = 0; i < entries.size(); ++i) {
        const Pending& p = pending[i];
        const StepLogEntry& e = entries[i];
        if (e.labels.count > 0) refuse_labels(p, e, training);
        if (e.counted == 0)
            observer.on_warning(
                fmt::format("step {}: no pixel counts, every label is ignored (images: {})", p.step, p.names));
        if (is_bad(e)) refuse(p, e, training, observer);
        if (std::isfinite(e.loss)) {  // with a dynamic loss scale an overflow is no loss of the epoch's
            progress.loss_sum += e.loss * double(p.images);
            progress.loss_images += p.images;
        }
        observer.on_step({progress.epoch, options_.epochs, p.first_batch + p.count, training.batches_per_epoch(),
                          p.step, p.images, e.loss, named_terms(*loss_, e), p.learning_rate, e.grad_norm,
                          e.loss_scale});
    }
    if (!entries.empty()) observer.on_read();
}

std::vector<HostBatch> Trainer::window_of(const Pending& p, BatchSource& training) {
    std::vector<HostBatch> window(static_cast<size_t>(p.count));
    training.start_epoch(progress.epoch, p.first_batch);
    for (auto& batch : window)
        if (!training.next(batch)) throw Error("the data set ended before a batch that it gave earlier");
    return window;
}

void Trainer::refuse_labels(const Pending& p, const StepLogEntry& entry, BatchSource& training) {
    std::vector<HostBatch> window;
    try {
        if (entry.labels.first >= 0) window = window_of(p, training);
    } catch (const std::exception& e) {
        throw DataError(fmt::format(
            "step {}: labels that are no class, {} of them, the first {} (images: {}); give the net more "
            "classes, or the masks other ids; the place is not known, for the images cannot be read again: {}",
            p.step, entry.labels.count, entry.labels.label, p.names, e.what()));
    }
    check_labels(entry.labels, window.data(), int64_t(window.size()), training,
                 {net_.out_channels(), loss_->ignore_index(), fmt::format("in step {}", p.step), loss_->label_form()});
    throw Error("a step's labels were counted otherwise than they are");  // check_labels throws where any was found
}

// The parameters are those of the bad step: the optimizer halted there. Its batches come from the source again.
void Trainer::refuse(const Pending& p, const StepLogEntry& entry, BatchSource& training, TrainObserver& observer) {
    const std::vector<HostBatch> window = window_of(p, training);
    StepConditions conditions{options_.compute, entry.attempt, 0, 1, options_.aux_weight};
    if (optimizer_.options().dynamic_loss_scale) conditions.loss_scale = entry.loss_scale;
    StepDiagnosis diagnosis;
    int64_t blamed = 0;
    for (int64_t i = 0; i < p.count; ++i) {
        conditions.micro_batch = i;
        StepDiagnosis d = diagnose_step(net_, *loss_, window[size_t(i)], conditions);
        const bool bad = d.first_bad() != nullptr;
        if (i > 0 && !bad) continue;
        diagnosis = std::move(d);
        blamed = i;
        if (bad) break;
    }
    conditions.micro_batch = blamed;
    const HostBatch& batch = window[size_t(blamed)];
    observer.on_nonfinite({progress.epoch, p.step, &batch, &diagnosis, conditions});
    std::string images = names_of(window, p.count);
    if (!diagnosis.bad_images.empty() && diagnosis.bad_images.size() < batch.names.size()) {
        images.clear();
        for (int i : diagnosis.bad_images) images += (images.empty() ? "" : ", ") + batch.names[size_t(i)];
    }
    throw NumericError(
        fmt::format("step {}: NaN or Inf, {} (loss {}; images: {}); lower `lr`, clip with `clip-norm`, or "
                    "check the images",
                    p.step, diagnosis.text(), entry.loss, images));
}

bool Trainer::train_epoch(BatchSource& training, TrainObserver& observer) {
    training.start_epoch(progress.epoch, progress.batch);
    std::vector<HostBatch> window(static_cast<size_t>(options_.accumulate));
    for (;;) {
        const bool stop = observer.stop_requested();
        int64_t count = 0;
        {
            const ProfileScope loading("next batch", "loader");
            while (!stop && count < options_.accumulate && training.next(window[size_t(count)])) ++count;
        }
        if (count == 0 || step_.unread() == options_.read_every) report(training, observer);
        if (count == 0) return !stop;
        submit(window, count);
        if (options_.read_every == 1) report(training, observer);
    }
}

// Thrown through a validation that is asked to stop: a large set takes minutes.
struct ValidationStopped {};

std::optional<Scores> Trainer::validate(BatchSource& validation, TrainObserver& observer) {
    const auto watch = [&](const HostBatch&, const Tensor&, int64_t images_done) {
        observer.on_validation(images_done, validation.samples());
        if (observer.stop_requested()) throw ValidationStopped{};
    };
    const ProfileScope validating("validation", "validation");
    const WithAveragedWeights averaged(optimizer_.average());
    try {
        return evaluate(*validated_, validation,
                        {.loss = options_.loss,
                         .compute = options_.compute,
                         .thresholds = 0,
                         .ignore_index = options_.ignore_index,
                         .on_image = [&](const ImageResult& image) { observer.on_validated(image); }},
                        watch);
    } catch (const ValidationStopped&) {
        return std::nullopt;  // progress stands behind the epoch's last batch: resuming validates again
    }
}

double Trainer::learning_rate_at(int64_t step, int64_t batch) const {
    return options_.swa.rate_at({step, progress.epoch, batch / options_.accumulate}, options_.epochs, options_.schedule,
                                progress.schedule);
}

// Where the mean begins, the best epoch is looked for anew, so that it is one of the mean's.
bool Trainer::average(BatchSource& training, TrainObserver& observer) {
    WeightAverage* const mean = optimizer_.mean();
    if (!mean || progress.epoch < options_.swa.first_epoch(options_.epochs)) return true;
    if (mean->added() == 0) progress.best_epoch = -1;
    if (mean->added() == 0 || progress.averaged_until <= progress.epoch) mean->add();
    progress.averaged_until = progress.epoch + 1;
    const ProfileScope averaging("batch norm statistics", "validation");
    const WithAveragedWeights averaged(mean);
    const bool found =
        renew_batch_norm_statistics(net_, training, progress.epoch, options_.compute, [&](int64_t images_done) {
            observer.on_statistics(images_done, training.samples());
            return !observer.stop_requested();
        });
    mean->set_lacks_statistics(!found);
    return found;
}

// A training that goes on for more epochs may have its first averaged one later: a mean of earlier ones begins anew.
void Trainer::forget_earlier_epochs() {
    WeightAverage* const mean = optimizer_.mean();
    if (!mean || mean->added() == 0 || progress.epoch >= options_.epochs) return;
    if (progress.averaged_until - mean->added() < options_.swa.first_epoch(options_.epochs)) mean->clear();
}

bool is_out_of_patience(const TrainProgress& p, const TrainerOptions& o) {
    return o.patience_stop > 0 && p.best_epoch >= 0 && p.epoch - 1 - p.best_epoch >= o.patience_stop;
}

// The class that every pixel was taken for although others were there; -1: not so, or classes do not exclude each other.
static int64_t only_prediction(const ConfusionMatrix& m) {
    if (m.overlapping()) return -1;
    int64_t only = -1, truths = 0;
    for (int64_t c = 0; c < m.classes(); ++c) {
        const ClassCounts counts = m.of_class(c);
        truths += counts.truth > 0;
        if (counts.predicted == m.pixels()) only = c;
    }
    return truths > 1 ? only : -1;
}

void Trainer::warn_of_collapse(const Scores& v, TrainObserver& observer) {
    const int64_t only = only_prediction(v.confusion);
    if (only < 0) {
        collapsed_epochs_ = 0;
        return;
    }
    if (++collapsed_epochs_ < 2 || std::exchange(warned_of_collapse_, true)) return;
    const double share = 100 * double(v.confusion.of_class(only).truth) / double(v.pixels);
    observer.on_warning(fmt::format(
        "epochs {} and {}: every validation pixel was taken for class {}, which {:.3g} % are. Usual causes: a learning "
        "rate too high (`lr` a tenth) or too low, masks read otherwise than meant (`mask-values`; look at samples), "
        "one "
        "class that covers nearly everything (`class-weights` or `loss` dice)",
        progress.epoch, progress.epoch + 1, only, share));
}

void Trainer::warn_of(const Scores& v, TrainObserver& observer) {
    if (v.nonfinite.empty()) warn_of_collapse(v, observer);
    if (!v.nonfinite.empty()) {
        observer.on_warning(
            fmt::format("epoch {}: the net gave NaN or Inf for {} of {} validation images, first {}; "
                        "the epoch cannot be the best",
                        progress.epoch + 1, v.nonfinite.size(), v.images, v.nonfinite[0]));
    } else if (!std::isfinite(monitored(options_.monitor, v)) && !std::exchange(warned_of_undefined_, true)) {
        const bool lost = !std::isfinite(v.loss);
        observer.on_warning(fmt::format("no validation pixel {}, so that {} is not defined; {}",
                                        v.pixels > 0 ? "shows the object" : "counts", options_.monitor,
                                        lost ? "there will be no best epoch" : "the lowest loss is the best epoch"));
    }
}

bool Trainer::update_best(const std::optional<Scores>& validation, TrainObserver& observer) {
    double score = 0, loss = undefined_score;  // without a validation every epoch is the best so far
    if (validation) {
        warn_of(*validation, observer);
        const bool higher = higher_is_better(options_.monitor);
        const double found = monitored(options_.monitor, *validation);
        loss = validation->loss;
        if (!std::isfinite(found) && !std::isfinite(loss)) return false;
        // A score that is not defined ranks below every other; among its like the loss decides.
        score = !std::isfinite(found) ? std::numeric_limits<double>::lowest() : higher ? found : -found;
        const bool by_loss = !std::isfinite(found);
        options_.schedule.rule().see(progress.schedule, by_loss ? loss : found, higher && !by_loss);
        const bool better = score > progress.best_score || (score == progress.best_score && loss < progress.best_loss);
        if (progress.best_epoch >= 0 && !better) return false;
    }
    progress.best_score = score;
    progress.best_loss = loss;
    progress.best_epoch = progress.epoch;
    progress.monitor = options_.monitor;
    return true;
}

bool Trainer::run(BatchSource& training, BatchSource* validation, TrainObserver& observer) {
    if (progress.best_epoch >= 0 && progress.monitor != options_.monitor)
        throw UsageError(
            fmt::format("the best epoch so far was found by {0}, and {1} is monitored now; resume with "
                        "`monitor` {0}",
                        progress.monitor, options_.monitor));
    if (options_.swa.on())
        require(optimizer_.mean(), "trainer: averages of epochs need an optimizer that keeps a mean");
    forget_earlier_epochs();
    net_.set_training(true);
    while (progress.epoch < options_.epochs && !is_out_of_patience(progress, options_)) {
        if (!train_epoch(training, observer)) return false;
        if (!average(training, observer)) return false;
        EpochReport report{.epoch = progress.epoch,
                           .epochs = options_.epochs,
                           .step = progress.step,
                           .validation = {},
                           .monitor = options_.monitor};
        report.train_loss = progress.loss_images ? progress.loss_sum / double(progress.loss_images) : 0;
        report.learning_rate = learning_rate_at(progress.step - 1, progress.batch - 1);
        if (validation && !(report.validation = validate(*validation, observer))) return false;
        report.best = update_best(report.validation, observer);
        ++progress.epoch;
        progress.batch = 0;
        progress.loss_sum = 0;
        progress.loss_images = 0;
        observer.on_epoch(report);
    }
    return true;
}

}  // namespace atrous
