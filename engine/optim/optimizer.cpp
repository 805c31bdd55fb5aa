#include "engine/optim/optimizer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "engine/context.h"
#include "engine/profile.h"

namespace atrous {

namespace k = kernels;

// Two groups for each learning rate, with and without weight decay; group 0 is everything without a scale of its own.
static int32_t group_of(const NamedParameter& p, const OptimizerOptions& o) {
    int32_t rate = 0;
    for (size_t i = o.lr_scales.size(); i-- > 0;)
        if (p.path.rfind(o.lr_scales[i].first, 0) == 0) rate = int32_t(i) + 1;
    return 2 * rate + (p.parameter->decays || !o.decay_weights_only ? 0 : 1);
}

static void check_lr_scales(const ParameterArena& arena, const OptimizerOptions& o) {
    require(2 * (o.lr_scales.size() + 1) <= k::optim_max_groups, "optimizer: at most 3 scales of the learning rate");
    for (const auto& [prefix, scale] : o.lr_scales)
        if (std::none_of(arena.parameters.begin(), arena.parameters.end(),
                         [&prefix = prefix](const NamedParameter& p) { return p.path.rfind(prefix, 0) == 0; }))
            throw UsageError("a learning rate for '" + prefix + "': this net has no parameter whose path begins so");
}

static std::vector<k::OptimChunk> chunks_of(const ParameterArena& arena, const OptimizerOptions& options) {
    std::vector<k::OptimChunk> chunks;
    for (size_t i = 0; i < arena.parameters.size(); ++i) {
        const Parameter& p = *arena.parameters[i].parameter;
        if (!p.trainable) continue;
        const int32_t group = group_of(arena.parameters[i], options);
        for (int64_t at = 0; at < p.shape.count(); at += k::optim_chunk_elements)
            chunks.push_back({arena.offsets[i] + at,
                              int32_t(std::min<int64_t>(k::optim_chunk_elements, p.shape.count() - at)), group});
    }
    return chunks;
}

static int64_t count_of_chunks(const ParameterArena& arena) {
    int64_t count = 0;
    for (const NamedParameter& p : arena.parameters)
        if (p.parameter->trainable) count += ceil_div(p.parameter->shape.count(), k::optim_chunk_elements);
    return count;
}

Optimizer::Optimizer(Module& net, const OptimizerOptions& options) : net_(net), options_(options) {
    const ParameterArena& a = net.arena();
    rule_states_ = rule().state(options_.hyperparameters);
    for (const RuleState& state : rule_states_)
        if (state.name == "weights")
            throw Error("optimizer " + options_.rule +
                        ": a state called 'weights'; in checkpoints that is the name of the weights that are averaged; "
                        "give the state another name");
    for (size_t i = 0; i < rule_states_.size(); ++i)
        state_tensors_.push_back(Tensor::full(a.values.shape(), a.values.dtype(), a.values.device(), 0));
    check_lr_scales(a, options);
    chunk_count_ = count_of_chunks(a);
    if (chunk_count_ == 0) throw UsageError("there is nothing to train: every parameter is frozen");
    chunks_ = Tensor::empty({chunk_count_ * int64_t(sizeof(k::OptimChunk))}, DType::u8, a.values.device());
    if (a.values.device().kind != DeviceKind::meta)  // where the size is all that there is
        chunks_.copy_from_host(chunks_of(a, options).data(), chunks_.bytes());
    StepState state;
    state.loss_scale = options.initial_loss_scale;
    static_assert(sizeof state % sizeof(float) == 0 && offsetof(StepState, loss_scale) % sizeof(float) == 0);
    state_ = Tensor::empty({int64_t(sizeof state / sizeof(float))}, DType::f32, a.values.device());
    set_state(state);
    if (options.ema_decay > 0 && options.keeps_mean)
        throw UsageError("optimizer: a moving average and a mean of the weights; keep one of them");
    if (options.ema_decay > 0) average_ = std::make_unique<WeightAverage>(net, options.ema_decay);
    if (options.keeps_mean) average_ = std::make_unique<WeightAverage>(net);
}

StepState Optimizer::state() const {
    StepState state;
    state_.copy_to_host(&state, sizeof state);
    return state;
}

void Optimizer::set_state(const StepState& state) { state_.copy_from_host(&state, sizeof state); }

k::Arena Optimizer::arena() const {
    const ParameterArena& a = net_.arena();
    k::Arena arena;
    arena.parameters = a.values.data();
    arena.gradients = a.gradients.data();
    arena.half = a.halves.data();
    arena.dtype = a.values.dtype();
    arena.half_dtype = a.halves.defined() ? a.halves.dtype() : DType::bf16;
    arena.count = a.values.count();
    arena.chunks = chunks_.as<k::OptimChunk>();
    arena.chunk_count = chunk_count_;
    for (size_t i = 0; i <= options_.lr_scales.size(); ++i) {
        const double scale = i ? options_.lr_scales[i - 1].second : 1;
        arena.groups[2 * i] = {.weight_decay = options_.weight_decay, .lr_scale = scale};
        arena.groups[2 * i + 1] = {.weight_decay = 0, .lr_scale = scale};
    }
    return arena;
}

Tensor Optimizer::loss_scale() const {
    return state_.part(int64_t(offsetof(StepState, loss_scale) / sizeof(float)), {1});
}

const StepState* Optimizer::device_state() const { return state_.as<const StepState>(); }

const UpdateRule& Optimizer::rule() const { return options_.rules.of(options_.rule); }

WeightAverage* Optimizer::mean() const { return average_ && average_->is_mean() ? average_.get() : nullptr; }

WeightAverage* Optimizer::average() const { return mean() && mean()->added() == 0 ? nullptr : average_.get(); }

double* Optimizer::learning_rate() { return &state_.as<StepState>()->learning_rate; }

void Optimizer::step(double value) {
    const Device device = state_.device();
    learning_rate_ = value;  // stays while the copy is under way
    if (device.kind == DeviceKind::gpu)
        context_of(device).copy_async(learning_rate(), &learning_rate_, sizeof(double));
    else if (device.kind != DeviceKind::meta)
        *learning_rate() = value;
    step();
}

void Optimizer::step() {
    require(!average_ || !average_->exchanged(), "optimizer: no step while the net holds averages of its weights");
    apply();
    if (average_ && !average_->is_mean()) average_->update(device_state());
}

void Optimizer::apply() {
    const ProfileScope span([&] {
        // Gradients read twice, once for their norm; values and state read and written; halves written.
        const double states = double(state_tensors_.size()), size = double(size_of(net_.arena().values.dtype()));
        const double half = net_.arena().halves.defined() ? double(size_of(net_.arena().halves.dtype())) : 0;
        return Span{.name = options_.rule,
                    .category = "optimizer",
                    .bytes = double(net_.arena().values.count()) * (size * (4 + 2 * states) + half)};
    });
    const Device device = state_.device();
    auto* state = state_.as<StepState>();
    run(device, {k::reference::grad_statistics, k::cpu::grad_statistics, k::cuda::grad_statistics},
        k::GradStatisticsArgs{arena(), state, options_.clip_norm, options_.halt_at_nonfinite});
    rule().step({device, arena(), state, state_tensors_, options_.hyperparameters});
    run(device, {k::reference::finish_step, k::cpu::finish_step, k::cuda::finish_step},
        k::FinishStepArgs{state, options_.dynamic_loss_scale, options_.growth_interval});
}

}  // namespace atrous
