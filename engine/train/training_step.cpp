#include "engine/train/training_step.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "engine/context.h"
#include "engine/ops/dropout.h"
#include "engine/ops/label_range.h"
#include "engine/profile.h"
#include "engine/simulation.h"

namespace atrous {

namespace k = kernels;

static Communicator& alone() {
    static SelfCommunicator self;
    return self;
}

static constexpr size_t max_shapes = 8;  // whose inputs, memory and graph are kept

// How shapes come to be replayed: eagerly within the pool until a step takes no new memory, then as a graph.
struct TrainingStep::Inputs {
    std::vector<BatchInputs> parts;  // one a micro-batch, filled before each step
    std::optional<gpu::Graph> graph;
    int64_t steps = 0, last_run = 0, pixels = 0;  // of the largest part
    // The pool's growth when the last eager step within it took no new memory. Any since then is another shape's, and
    // where blocks were added this one may come to lie otherwise.
    std::optional<uint64_t> settled_at;
    bool is_worth_a_graph() const { return steps > 2; }  // not one of a kind
};

TrainingStep::TrainingStep(SegmentationNet& net, Optimizer& optimizer, const LossFunction& loss,
                           const TrainingStepOptions& options)
    : net_(net),
      optimizer_(optimizer),
      loss_(loss),
      options_(options),
      device_(net.materialized().device),
      ranks_(options.ranks ? *options.ranks : alone()),
      seed_(net.materialized().seed),
      staging_(device_) {
    require(loss.terms().size() <= size_t(k::max_loss_terms), "training step: a loss has at most 8 terms");
    log_ = Tensor::full({options.log_capacity * int64_t(sizeof(StepLogEntry))}, DType::u8, device_, 0);
    sums_ = Tensor::full({(3 + k::max_loss_terms) * int64_t(sizeof(double))}, DType::u8, device_, 0);
    step_labels_ = Tensor::full({int64_t(sizeof(k::LabelsOutOfRange))}, DType::u8, device_, 0);
    normalizer_ = Tensor::full({int64_t(sizeof(double))}, DType::u8, device_, 0);
    graphs_ = options.graphs && ranks_.size() == 1 && backend_kind(device_) == DeviceKind::gpu;
    if (ranks_.size() > 1)
        buckets_ = std::make_unique<GradientBuckets>(
            net.arena(), [this](const Tensor& g) { all_reduce(g.data(), g.count(), g.dtype()); });
}

// Graphs may be in use until the stream is done.
TrainingStep::~TrainingStep() {
    try {
        if (device_.kind == DeviceKind::gpu) context_of(device_).synchronize();
    } catch (...) {  // the error was, or will be, reported where it can be handled
    }
}

bool TrainingStep::recordable(const HostBatch* batches, int64_t count) const {
    size_t bytes = 0;
    for (const HostBatch* b = batches; b != batches + count; ++b) bytes += BatchInputs::bytes_of(*b);
    return graphs_ && (count == 1 || bytes <= options_.max_input_bytes);
}

TrainingStep::Inputs& TrainingStep::inputs_for(const HostBatch* batches, int64_t count) {
    std::vector<int64_t> shapes;
    for (const HostBatch* b = batches; b != batches + count; ++b) {
        const auto shape = BatchInputs::key_of(*b);
        shapes.insert(shapes.end(), shape.begin(), shape.end());
    }
    auto found = inputs_.find(shapes);
    if (found == inputs_.end()) {
        if (inputs_.size() == max_shapes) drop_oldest();
        found = inputs_.emplace(std::move(shapes), std::make_unique<Inputs>()).first;
        for (const HostBatch* b = batches; b != batches + count; ++b) {
            found->second->parts.emplace_back(*b, true, device_);
            found->second->pixels = std::max(found->second->pixels, b->n * b->h * b->w);
        }
    }
    found->second->last_run = ++runs_;
    return *found->second;
}

void TrainingStep::drop_oldest() {
    if (graphs_ && device_.kind == DeviceKind::gpu) context_of(device_).synchronize();  // its graph may be running
    inputs_.erase(std::min_element(inputs_.begin(), inputs_.end(),
                                   [](auto& a, auto& b) { return a.second->last_run < b.second->last_run; }));
}

// Of all ranks together. The normalizer is 0 where a step is one batch: the loss counts for itself.
TrainingStep::Values TrainingStep::values_of(const HostBatch* batches, int64_t count, double learning_rate) {
    const bool one = count == 1 && ranks_.size() == 1;
    double normalizer = 0, images = 0;
    for (int64_t i = 0; i < count; ++i) {
        images += double(batches[i].n);
        if (one || device_.kind == DeviceKind::meta) continue;
        if (batches[i].form == ImageForm::samples)
            throw UsageError(fmt::format(
                "training step: {} batches on {} ranks are normalized together by labels that the host sees, and the "
                "device augments these; expected one batch and one rank: set `augment-on` host",
                count, ranks_.size()));
        normalizer += loss_.normalizer_of(batches[i].labels, net_.out_channels());
    }
    double sums[] = {normalizer, images};
    ranks_.all_reduce(sums);
    return {learning_rate, one || sums[0] != 0 ? sums[0] : 1, sums[1]};
}

void TrainingStep::upload(const HostBatch* batches, int64_t count, Inputs& to, const Values* values) {
    const ProfileScope span("upload", "upload");
    std::vector<Staging::Piece> pieces;
    if (values) {
        pieces.push_back({optimizer_.learning_rate(), &values->learning_rate, sizeof(double)});
        pieces.push_back({normalizer_.data(), &values->normalizer, sizeof(double)});
    }
    for (int64_t i = 0; i < count; ++i)
        to.parts[size_t(i)].each(batches[i], [&](const Tensor& tensor, const void* from) {
            pieces.push_back({tensor.data(), from, tensor.bytes()});
        });
    staging_.send(pieces);
}

// ---- phases ---------------------------------------------------------------------------------------------------------
// A micro-batch on its way through them. Dropout draws by the optimizer's own count, which a replay reads anew, and no
// two micro-batches of a step by one number, on whatever rank they are.
struct TrainingStep::Pass {
    Pass(TrainingStep& step, const BatchInputs& part, double share_of_images, const Turn& turn)
        : part(part),
          share{step.normalizer_.as<const double>(), share_of_images},
          labels_before(turn.labels_before),
          first(turn.index == 0),
          last(turn.last),
          random(step.seed_, 0, turn.index * step.ranks_.size() + step.ranks_.rank(),
                 &step.optimizer_.device_state()->attempts) {}
    const BatchInputs& part;
    const LossShare share;
    const int64_t labels_before;
    const bool first, last;  // of the step's micro-batches on this rank
    const StepRandomness random;
    DeviceBatch batch;
    Tape tape;
    NetOutputs outputs;
    LossValue value, aux;
};

void TrainingStep::micro_batch(const BatchInputs& part, double share_of_images, const Turn& turn) {
    Pass pass(*this, part, share_of_images, turn);
    forward(pass);
    backward(pass);
    if (turn.last) {
        reduce();
        update();
    }
    log(pass);
}

void TrainingStep::forward(Pass& pass) {
    pass.batch = pass.part.on_device(options_.compute);
    pass.outputs = net_.forward_training(pass.batch.images);
    pass.value = loss_.value(pass.outputs.out, pass.batch.labels, pass.share);
    if (!pass.value.labels_out_of_range.defined())
        pass.value.labels_out_of_range =
            labels_out_of_range(pass.batch.labels, net_.out_channels(), loss_.ignore_index(), loss_.label_form());
    if (pass.outputs.aux.defined())
        pass.aux = loss_.value(pass.outputs.aux, pass.batch.labels,
                               {pass.share.normalizer, pass.share.images, options_.aux_weight, false});
}

// Gradients are summed over the ranks while the pass goes on, bucket by bucket.
void TrainingStep::backward(Pass& pass) {
    const Tensor seed = options_.scale_loss ? optimizer_.loss_scale() : Tensor();
    std::vector<Tape::Start> starts{{pass.value.loss, seed}};
    if (pass.aux.loss.defined()) starts.push_back({pass.aux.loss, seed});
    if (!buckets_ || !pass.last) return pass.tape.backward(starts);
    buckets_->begin();
    pass.tape.backward(starts, [&](const Leaf& leaf) { buckets_->leaf_done(leaf); });
}

void TrainingStep::reduce() {
    if (buckets_) buckets_->finish();
}

void TrainingStep::update() { optimizer_.step(); }

// With several ranks the entry is written when the sums of all of them are added up.
void TrainingStep::log(const Pass& pass) {
    k::StepLogArgs args;
    args.terms = pass.value.terms.data();
    args.aux_terms = pass.aux.terms.data();
    args.dtype = pass.value.terms.dtype();
    for (const LossTerm& term : loss_.terms())
        args.term_weights[args.term_count++] = term.sum == TermSum::parts ? 1 : pass.share.images;
    args.labels = pass.value.labels_out_of_range.as<const k::LabelsOutOfRange>();
    args.labels_before = pass.labels_before;
    args.step_labels = step_labels_.as<k::LabelsOutOfRange>();
    args.first = pass.first, args.last = pass.last && !buckets_;
    args.state = optimizer_.device_state();
    args.sums = sums_.as<double>();
    args.ring = log_.as<StepLogEntry>();
    args.capacity = options_.log_capacity;
    const auto submit = [&] {
        atrous::run(device_, {k::reference::log_step, k::cpu::log_step, k::cuda::log_step}, args);
    };
    submit();
    if (!buckets_ || !pass.last) return;
    all_reduce(sums_.data(), 3 + args.term_count, DType::f64);
    args.terms = args.aux_terms = nullptr, args.labels = nullptr;
    args.first = false, args.last = true;
    submit();
}

// ---- steps ----------------------------------------------------------------------------------------------------------
// The parts add up to the loss of one large batch; Dice is averaged by images.
void TrainingStep::whole_step(const Inputs& inputs, double images) {
    net_.zero_gradients();
    const auto count = int64_t(inputs.parts.size());
    int64_t labels = 0;
    for (int64_t i = 0; i < count; ++i) {
        const BatchInputs& part = inputs.parts[size_t(i)];
        micro_batch(part, double(part.images()) / images, {i, labels, i + 1 == count});
        labels += part.pixels();
    }
}

// All shapes share one pool, so that an epoch's last, smaller batch brings no second set of activations.
void TrainingStep::run_within_pool(Inputs& inputs, double images) {
    CachingAllocator& memory = allocator_for(device_);
    if (!inputs.graph) {
        if (!pool_) pool_ = std::make_unique<MemoryPool>(memory);
        const uint64_t before = memory.pool_growth();
        const bool record =
            inputs.is_worth_a_graph() && inputs.settled_at == before && device_.kind != DeviceKind::meta;
        const CachingAllocator::PoolScope scope(memory, *pool_, inputs.pixels < largest_, record);
        largest_ = std::max(largest_, inputs.pixels);
        if (!record) {
            whole_step(inputs, images);
            inputs.settled_at.reset();
            if (memory.pool_growth() == before) inputs.settled_at = before;
            return;
        }
        const gpu::DeviceGuard current = context_of(device_).guard();
        inputs.graph = gpu::Graph::capture(context_of(device_).stream(), [&] { whole_step(inputs, images); });
    }
    const gpu::DeviceGuard current = context_of(device_).guard();
    inputs.graph->launch(context_of(device_).stream());
    ++replayed_;
}

// Micro-batches of one shape take turns in the same memory.
void TrainingStep::run_one_by_one(const HostBatch* batches, int64_t count, const Values& values) {
    net_.zero_gradients();
    int64_t labels = 0;
    for (int64_t i = 0; i < count; ++i) {
        Inputs& inputs = inputs_for(batches + i, 1);
        upload(batches + i, 1, inputs, i == 0 ? &values : nullptr);
        micro_batch(inputs.parts[0], double(batches[i].n) / values.images, {i, labels, i + 1 == count});
        labels += inputs.parts[0].pixels();
    }
}

void TrainingStep::run(const HostBatch* batches, int64_t count, double learning_rate) {
    require(count >= 1 && unread_ < options_.log_capacity, "training step: read() is due");
    if (ranks_.size() > 1 && runs_ == 0) broadcast_state();
    const Values values = values_of(batches, count, learning_rate);
    if (recordable(batches, count)) {
        Inputs& inputs = inputs_for(batches, count);
        upload(batches, count, inputs, &values);
        ++inputs.steps;
        inputs.is_worth_a_graph() || pool_ ? run_within_pool(inputs, values.images) : whole_step(inputs, values.images);
    } else {
        run_one_by_one(batches, count, values);
    }
    if (device_.kind != DeviceKind::meta) ++unread_;
}

std::vector<StepLogEntry> TrainingStep::read() {
    if (unread_ == 0) return {};
    std::vector<StepLogEntry> ring(static_cast<size_t>(options_.log_capacity));
    log_.copy_to_host(ring.data(), ring.size() * sizeof(StepLogEntry));
    const int64_t attempts = optimizer_.state().attempts;
    std::vector<StepLogEntry> entries;
    for (int64_t i = attempts - unread_; i < attempts; ++i) entries.push_back(ring[size_t(i % options_.log_capacity)]);
    unread_ = 0;
    return entries;
}

}  // namespace atrous
