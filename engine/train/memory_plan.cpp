#include "engine/train/memory_plan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/label_range.h"
#include "engine/ops/window.h"
#include "engine/train/batch_norm_statistics.h"
#include "engine/train/evaluate.h"
#include "engine/train/trainer.h"

namespace atrous {

static constexpr Device meta{DeviceKind::meta};

size_t MemoryPlan::at_peak(BlockUse use) const {
    size_t bytes = 0;
    for (const SimulatedBlock& b : blocks) bytes += b.use == use ? b.bytes : 0;
    return bytes;
}

namespace {

// Micro-batches of one shape take turns in the same memory: the fourth finds it as the third left it. Where they are
// recorded as one graph, the inputs of the others are there too.
constexpr int64_t max_dry_run_micro_batches = 4;

// A few epochs on meta: the training's own step, and the evaluation's sequence of tensors.
class DryRun {
 public:
    DryRun(SegmentationNet& net, const PlanOptions& options)
        : o_(options), net_(net), simulation_(options.device, options.limit_bytes) {}

    MemoryPlan run() {
        set_up();
        if (!o_.training) evaluate(o_.batch);
        // Enough epochs for every shape to come to its recorded step.
        for (int epoch = 0; o_.training && epoch < 6; ++epoch) {
            for (int64_t n : {o_.batch, o_.batch, o_.last_batch}) train(n);
            for (int64_t n : {o_.batch, o_.last_batch}) find_statistics(n);
            for (int64_t n : {o_.validation_batch, o_.last_validation_batch}) evaluate(n);
        }
        const MemoryStatistics s = simulation_.memory().statistics();
        return {s.peak_bytes, s.reserved_bytes, simulation_.peak_blocks()};
    }

 private:
    void set_up() {
        const UseScope use(BlockUse::optimizer);
        net_.materialize({.device = meta, .compute = o_.compute});
        const ParameterArena& arena = net_.arena();
        simulation_.name(arena.values, BlockUse::weights, "parameters");
        simulation_.name(arena.halves, BlockUse::half_weights, "half-precision copies");
        simulation_.name(arena.gradients, BlockUse::gradients, "gradients");
        for (auto& [path, buffer] : net_.buffers()) simulation_.name(buffer->value, BlockUse::weights, path);
        loss_ = o_.loss(meta, o_.compute);
        if (!o_.training) return;
        optimizer_.emplace(net_, o_.optimizer);
        for (size_t i = 0; i < optimizer_->state_tensors().size(); ++i)
            simulation_.name(optimizer_->state_tensors()[i], BlockUse::optimizer, optimizer_->rule_states()[i].title);
        if (const WeightAverage* average = optimizer_->mean() ? optimizer_->mean() : optimizer_->average())
            for (const Tensor& t : average->blocks()) simulation_.name(t, BlockUse::optimizer, "averaged weights");
        step_.emplace(net_, *optimizer_, *loss_,
                      TrainingStepOptions{.compute = o_.compute,
                                          .aux_weight = o_.aux_weight,
                                          .scale_loss = o_.optimizer.dynamic_loss_scale,
                                          .graphs = o_.graphs,
                                          .max_input_bytes = max_input_bytes(),
                                          .log_capacity = read_interval(0, o_.device)});
    }

    HostBatch batch(int64_t n, int64_t h, int64_t w) const {
        HostBatch b;  // of shapes: on meta nothing is read
        b.n = n, b.h = h, b.w = w, b.c = net_.in_channels();
        b.labels = {0};
        b.form = o_.training ? o_.validation_images : o_.images;
        return b;
    }
    HostBatch training_batch(int64_t n) const {
        HostBatch b = batch(n, o_.height, o_.width);
        b.form = o_.images;
        b.source_pixels = n * o_.source_pixels;
        b.filter_values = n * o_.filter_values;
        return b;
    }

    int64_t dry_run_micro_batches() const { return std::min(o_.accumulate, max_dry_run_micro_batches); }
    size_t input_bytes(int64_t n) const { return BatchInputs::bytes_of(training_batch(n)); }
    // Whether a step of micro-batches of n images has all their inputs at once.
    bool recorded(int64_t n) const {
        return o_.graphs && backend_kind(meta) == DeviceKind::gpu &&
               size_t(o_.accumulate) * input_bytes(n) <= TrainingStepOptions().max_input_bytes;
    }
    // Under which the run dry micro-batches run as all of them would. The last batch is smaller than the others.
    size_t max_input_bytes() const {
        if (dry_run_micro_batches() == o_.accumulate || recorded(o_.batch))
            return TrainingStepOptions().max_input_bytes;
        return o_.last_batch > 0 && recorded(o_.last_batch)
                   ? size_t(dry_run_micro_batches()) * input_bytes(o_.last_batch)
                   : 0;
    }

    // One block for the inputs of the micro-batches that are not run dry, as many bytes as they take in blocks of
    // their own, and what they add to the block that stages all inputs.
    void make_other_inputs(int64_t n) {
        const UseScope use(BlockUse::batch);
        const HostBatch like = training_batch(n);
        int64_t bytes = 0;
        BatchInputs(like, true, meta).each(like, [&](const Tensor& t, const void*) {
            bytes += int64_t(simulation_.memory().size_of(t.storage()->data()));
        });
        const int64_t others = o_.accumulate - dry_run_micro_batches();
        others_.emplace(n, Tensor::empty({others * bytes}, DType::u8, meta));
        if (const auto staged = others * int64_t(input_bytes(n)); !staged_.defined() || staged_.count() < staged) {
            staged_ = Tensor();
            staged_ = Tensor::empty({staged}, DType::u8, meta);
        }
    }

    void train(int64_t n) {
        if (n == 0) return;
        net_.set_training(true);
        if (dry_run_micro_batches() < o_.accumulate && recorded(n) && !others_.contains(n)) make_other_inputs(n);
        const std::vector<HostBatch> micro_batches(size_t(dry_run_micro_batches()), training_batch(n));
        step_->run(micro_batches.data(), dry_run_micro_batches(), 0);
    }

    // As a mean of weights comes to its batch norm's statistics.
    void find_statistics(int64_t n) {
        if (n == 0 || !o_.optimizer.keeps_mean) return;
        net_.set_training(true);
        if (net_.momenta().empty()) return;
        const StepRandomness random(0, 0);
        forward_for_statistics(net_, training_batch(n), o_.compute);
    }

    // As engine/ops/window.h has a net see it: the logits of the whole image are there twice, for they are joined in f32.
    Tensor through_windows(const Tensor& images, int64_t h, int64_t w) {
        net_.forward(window(images, {0, 0, std::min(h, images.dim(1)), std::min(w, images.dim(2))}));
        const Tensor joined =
            Tensor::empty({images.dim(0), images.dim(1), images.dim(2), net_.out_channels()}, DType::f32, meta);
        return cast(joined, images.dtype());
    }

    // As engine/train/evaluate.h goes through a batch.
    void evaluate(int64_t n) {
        if (n == 0) return;
        const NoTape off;
        net_.set_training(false);
        const bool other = o_.training && o_.validation_height > 0;
        const bool windows = o_.training && o_.whole_height > 0;
        const int64_t h = other ? o_.validation_height : o_.height, w = other ? o_.validation_width : o_.width;
        const HostBatch images = windows ? batch(n, o_.whole_height, o_.whole_width) : batch(n, h, w);
        const DeviceBatch d = upload(images, meta, o_.compute);
        const Tensor wrong =
            labels_out_of_range(d.labels, net_.out_channels(), loss_->ignore_index(), loss_->label_form());
        const Tensor logits = windows ? through_windows(d.images, h, w) : net_.forward(d.images);
        loss_->by_image(logits, d.labels);
    }

    const PlanOptions& o_;
    SegmentationNet& net_;
    MemorySimulation simulation_;
    std::optional<Optimizer> optimizer_;
    std::unique_ptr<LossFunction> loss_;
    std::map<int64_t, Tensor> others_;  // of the micro-batches that are not run dry, by their images
    Tensor staged_;                     // the same of the largest step's staging block
    std::optional<TrainingStep> step_;
};

}  // namespace

MemoryPlan plan_memory(SegmentationNet& net, const PlanOptions& options) { return DryRun(net, options).run(); }

bool can_be_carried_out(SegmentationNet& net, const PlanOptions& options) {
    try {
        plan_memory(net, options);
        return true;
    } catch (const MemoryError&) {
        return false;
    }
}

std::optional<size_t> bytes_held(SegmentationNet& net, const PlanOptions& options) {
    try {
        return plan_memory(net, options).reserved_bytes;
    } catch (const ShapeError&) {
        return std::nullopt;
    }
}

int64_t largest_batch(SegmentationNet& net, const PlanForBatch& plan, size_t bytes, int64_t at_most) {
    enum class Fit { yes, no, cannot_train };
    const auto fit_of = [&](int64_t batch) {
        const std::optional<size_t> held = bytes_held(net, plan(batch));
        return !held ? Fit::cannot_train : *held <= bytes ? Fit::yes : Fit::no;
    };
    int64_t good = 0, bad = at_most + 1;
    for (int64_t batch = 1; batch < bad; batch = batch < at_most ? std::min(2 * batch, at_most) : bad) {
        const Fit fit = fit_of(batch);
        if (fit == Fit::yes) good = batch;
        if (fit == Fit::no) bad = batch;
    }
    while (bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        Fit fit = fit_of(middle);
        // Mostly the last batch of the epoch is one image: the next size leaves another.
        if (fit == Fit::cannot_train && middle + 1 < bad) fit = fit_of(++middle);
        (fit == Fit::yes ? good : bad) = middle;
    }
    return good;
}

}  // namespace atrous
