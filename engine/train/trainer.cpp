#include "engine/train/trainer.h"

#include <fmt/core.h>

#include <cmath>

#include "engine/ops/dropout.h"

namespace atrous {

static std::string names_of(const std::vector<HostBatch>& window, int64_t count) {
    std::string names;
    for (int64_t i = 0; i < count; ++i)
        for (const auto& name : window[size_t(i)].names) names += (names.empty() ? "" : ", ") + name;
    return names;
}

static std::vector<double> to_doubles(const Tensor& t) {
    if (t.dtype() == DType::f64) return t.to_host<double>();
    const auto floats = t.to_host<float>();
    return {floats.begin(), floats.end()};
}

StepReport Trainer::train_step(const std::vector<HostBatch>& window, int64_t count, TrainObserver& observer) {
    int64_t images = 0;
    double counted = 0;
    for (int64_t i = 0; i < count; ++i) {
        images += window[size_t(i)].n;
        counted += loss_.normalizer_of(window[size_t(i)].labels, net_.out_channels());
    }
    if (counted == 0)
        observer.on_warning(fmt::format("step {}: no pixel counts, every label is ignored (images: {})",
                                        progress.step + 1, names_of(window, count)));
    StepReport report{};
    net_.zero_gradients();
    for (int64_t i = 0; i < count; ++i) {
        const HostBatch& b = window[size_t(i)];
        const DeviceBatch d = upload(b, net_.materialized().device, options_.compute);
        LossShare share;  // the parts add up to the loss of one large batch; Dice is averaged by images
        if (count > 1) share = {counted > 0 ? counted : 1, double(b.n) / double(images)};
        const StepRandomness random(net_.materialized().seed, progress.step, i);
        Tape tape;
        const NetOutputs y = net_.forward_training(d.images);
        const LossValue value = loss_(y.out, d.labels, share);
        std::vector<Tape::Start> starts{{value.loss}};
        if (y.aux.defined()) {
            const Tensor aux = loss_(y.aux, d.labels, share).loss;
            starts.push_back({aux, Tensor::full({1}, aux.dtype(), aux.device(), options_.aux_weight)});
            report.loss += options_.aux_weight * aux.item();
        }
        tape.backward(starts);
        const std::vector<double> terms = to_doubles(value.terms);
        report.loss += terms[0];
        report.cross_entropy += terms[1];
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
        StepReport report = train_step(window, count, observer);
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

bool Trainer::run(BatchSource& training, BatchSource* validation, TrainObserver& observer) {
    net_.set_training(true);
    while (progress.epoch < options_.epochs) {
        if (!train_epoch(training, observer)) return false;
        EpochReport report{progress.epoch, options_.epochs, progress.step, 0, {}, false};
        report.train_loss = progress.loss_images ? progress.loss_sum / double(progress.loss_images) : 0;
        if (validation)
            report.validation =
                evaluate(net_, *validation, {options_.loss, options_.compute, 0, options_.ignore_index});
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
