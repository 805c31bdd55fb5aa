#include "engine/train/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace atrous {

static int64_t counted_elements(const HostBatch& b, int ignore_index, int64_t channels) {
    return channels * (int64_t(b.labels.size()) -
                       std::count_if(b.labels.begin(), b.labels.end(), [&](uint8_t l) { return l == ignore_index; }));
}

static std::string names_of(const std::vector<HostBatch>& window, int64_t count) {
    std::string names;
    for (int64_t i = 0; i < count; ++i)
        for (const auto& name : window[size_t(i)].names) names += (names.empty() ? "" : ", ") + name;
    return names;
}

StepReport Trainer::train_step(const std::vector<HostBatch>& window, int64_t count) {
    int64_t images = 0, elements = 0;
    for (int64_t i = 0; i < count; ++i) {
        images += window[size_t(i)].n;
        elements += counted_elements(window[size_t(i)], options_.ignore_index, net_.out_channels());
    }
    StepReport report{};
    net_.zero_gradients();
    for (int64_t i = 0; i < count; ++i) {
        const HostBatch& b = window[size_t(i)];
        const DeviceBatch d = upload(b, net_.materialized().device, options_.compute);
        BceDiceOptions loss = options_.loss;
        if (count > 1) {  // the parts add up to the loss of one large batch; Dice is averaged by images
            loss.normalizer = double(std::max<int64_t>(elements, 1));
            loss.dice_weight *= double(b.n) / double(images);
        }
        Tape tape;
        const LossValue value = bce_dice(net_.forward(d.images), d.labels, loss);
        tape.backward(value.loss);
        const auto terms = value.terms.dtype() == DType::f64 ? value.terms.to_host<double>() : [&] {
            const auto f = value.terms.to_host<float>();
            return std::vector<double>(f.begin(), f.end());
        }();
        report.loss += terms[0];
        report.bce += terms[1];
        report.dice += terms[2] * double(b.n) / double(images);
    }
    report.learning_rate = options_.schedule.at(progress.step);
    if (!std::isfinite(report.loss))
        throw NumericError(fmt::format(
            "the loss of step {} is {} (images: {}); lower --lr, clip with --clip-norm, or check the images",
            progress.step + 1, report.loss, names_of(window, count)));
    optimizer_.step(report.learning_rate);
    ++progress.step;
    report.step = progress.step;
    report.images = images;
    return report;
}

bool Trainer::train_epoch(BatchSource& training, TrainObserver& observer) {
    training.start_epoch(progress.epoch, progress.batch);
    std::vector<HostBatch> window(static_cast<size_t>(options_.accumulate));
    for (;;) {
        if (observer.stop_requested()) return false;
        int64_t count = 0;
        while (count < options_.accumulate && training.next(window[size_t(count)])) ++count;
        if (count == 0) return true;
        StepReport report = train_step(window, count);
        progress.batch += count;
        progress.loss_sum += report.loss * double(report.images);
        progress.loss_images += report.images;
        report.epoch = progress.epoch;
        report.epochs = options_.epochs;
        report.batch = progress.batch;
        report.batches = training.batches_per_epoch();
        observer.on_step(report);
    }
}

// Thrown through a validation that is asked to stop: a large set takes minutes.
struct ValidationStopped {};

std::optional<Scores> Trainer::validate(BatchSource& validation, TrainObserver& observer) {
    const auto watch = [&](const HostBatch&, const Tensor&, int64_t) {
        if (observer.stop_requested()) throw ValidationStopped{};
    };
    try {
        return evaluate(net_, validation, {options_.loss, options_.compute, 0, options_.ignore_index}, watch);
    } catch (const ValidationStopped&) {
        return std::nullopt;  // progress stands behind the epoch's last batch: resuming validates again
    }
}

bool Trainer::run(BatchSource& training, BatchSource* validation, TrainObserver& observer) {
    net_.set_training(true);
    while (progress.epoch < options_.epochs) {
        if (!train_epoch(training, observer)) return false;
        EpochReport report{.epoch = progress.epoch, .epochs = options_.epochs, .step = progress.step, .validation = {}};
        report.train_loss = progress.loss_images ? progress.loss_sum / double(progress.loss_images) : 0;
        report.learning_rate = options_.schedule.at(progress.step - 1);
        if (validation && !(report.validation = validate(*validation, observer))) return false;
        report.best = !report.validation || report.validation->dice > progress.best_dice;
        if (report.best) {
            progress.best_dice = report.validation ? report.validation->dice : -1;
            progress.best_epoch = progress.epoch;
        }
        ++progress.epoch;
        progress.batch = 0;
        progress.loss_sum = 0;
        progress.loss_images = 0;
        observer.on_epoch(report);
    }
    return true;
}

}  // namespace atrous
