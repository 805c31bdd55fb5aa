#include "engine/train/training_step.h"

#include <algorithm>
#include <cstring>

#include "engine/context.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/profile.h"
#include "engine/simulation.h"

namespace atrous {

namespace k = kernels;

static constexpr size_t max_shapes = 8;  // whose inputs, memory and graph are kept

struct TrainingStep::Part {
    Tensor images, labels;  // f32 and u8, filled before each step
};

// How shapes come to be replayed: eagerly within their pool until a step takes no new memory, then as a graph.
struct TrainingStep::Inputs {
    std::vector<Part> parts;
    std::unique_ptr<MemoryPool> pool;
    std::optional<gpu::Graph> graph;  // destroyed before the pool it works in
    int64_t steps = 0, last_run = 0;
    bool settled = false;  // the last eager step within the pool took no new memory
};

// Pinned host memory that copies read while the host goes on; a slot is reused when its copies are done.
struct TrainingStep::Staging {
    struct Slot {
        std::byte* data = nullptr;
        size_t bytes = 0;
        gpu::Event copied;
        bool busy = false;
    };
    static constexpr size_t count = 3;
    Slot slots[count];
    size_t next = 0;

    ~Staging() {
        for (Slot& slot : slots) gpu::release_pinned(slot.data);
    }
    Slot& take(size_t bytes) {
        Slot& slot = slots[next++ % count];
        if (slot.busy) slot.copied.synchronize();
        if (slot.bytes < bytes) {
            gpu::release_pinned(slot.data);
            slot.data = nullptr;
            slot.bytes = 0;
            slot.data = static_cast<std::byte*>(gpu::allocate_pinned(bytes));
            slot.bytes = bytes;
        }
        slot.busy = true;
        return slot;
    }
};

TrainingStep::TrainingStep(SegmentationNet& net, Optimizer& optimizer, const LossFunction& loss,
                           const TrainingStepOptions& options)
    : net_(net), optimizer_(optimizer), loss_(loss), options_(options), device_(net.materialized().device) {
    require(loss.terms().size() <= size_t(k::max_loss_terms), "training step: a loss has at most 8 terms");
    log_ = Tensor::full({options.log_capacity * int64_t(sizeof(StepLogEntry))}, DType::u8, device_, 0);
    sums_ = Tensor::full({(1 + k::max_loss_terms) * int64_t(sizeof(double))}, DType::u8, device_, 0);
    normalizer_ = Tensor::full({int64_t(sizeof(double))}, DType::u8, device_, 0);
    graphs_ = options.graphs && backend_kind(device_) == DeviceKind::gpu;
    if (device_.kind == DeviceKind::gpu) staging_ = std::make_unique<Staging>();
}

// Graphs and pinned memory may be in use until the stream is done.
TrainingStep::~TrainingStep() {
    try {
        if (device_.kind == DeviceKind::gpu) context_of(device_).synchronize();
    } catch (...) {  // the error was, or will be, reported where it can be handled
    }
}

bool TrainingStep::recordable(const HostBatch* batches, int64_t count) const {
    size_t bytes = 0;
    for (const HostBatch* b = batches; b != batches + count; ++b)
        bytes += size_t(b->n * b->h * b->w) * (size_t(b->c) * sizeof(float) + 1);
    return graphs_ && (count == 1 || bytes <= options_.max_input_bytes);
}

TrainingStep::Inputs& TrainingStep::inputs_for(const HostBatch* batches, int64_t count) {
    std::vector<int64_t> shapes;
    for (const HostBatch* b = batches; b != batches + count; ++b) shapes.insert(shapes.end(), {b->n, b->h, b->w, b->c});
    auto found = inputs_.find(shapes);
    if (found == inputs_.end()) {
        if (inputs_.size() == max_shapes) drop_oldest();
        found = inputs_.emplace(std::move(shapes), std::make_unique<Inputs>()).first;
        const UseScope use(BlockUse::batch);
        for (const HostBatch* b = batches; b != batches + count; ++b)
            found->second->parts.push_back({Tensor::empty({b->n, b->h, b->w, b->c}, DType::f32, device_),
                                            Tensor::empty({b->n, b->h, b->w, 1}, DType::u8, device_)});
    }
    found->second->last_run = ++runs_;
    return *found->second;
}

void TrainingStep::drop_oldest() {
    if (graphs_ && device_.kind == DeviceKind::gpu) context_of(device_).synchronize();  // its graph may be running
    inputs_.erase(std::min_element(inputs_.begin(), inputs_.end(),
                                   [](auto& a, auto& b) { return a.second->last_run < b.second->last_run; }));
}

// The normalizer is 0 where a step is one batch: the loss counts for itself.
TrainingStep::Values TrainingStep::values_of(const HostBatch* batches, int64_t count, double learning_rate) const {
    Values values{learning_rate, 0};
    if (count == 1 || device_.kind == DeviceKind::meta) return values;
    for (int64_t i = 0; i < count; ++i)
        values.normalizer += loss_.normalizer_of(batches[i].labels, net_.out_channels());
    if (values.normalizer == 0) values.normalizer = 1;
    return values;
}

void TrainingStep::upload(const HostBatch* batches, int64_t count, Inputs& to, const Values* values) {
    if (device_.kind == DeviceKind::meta) return;  // shapes are all that there is
    const ProfileScope span("upload", "upload");
    size_t bytes = sizeof(Values);
    for (int64_t i = 0; i < count; ++i) {
        const Part& part = to.parts[size_t(i)];
        bytes += part.images.bytes() + part.labels.bytes();
        require(batches[i].images.size() * sizeof(float) == part.images.bytes() &&
                    batches[i].labels.size() == part.labels.bytes(),
                "training step: the batch's images or labels do not fill its shape");
    }
    Staging::Slot* const slot = staging_ ? &staging_->take(bytes) : nullptr;
    std::byte* staged = slot ? slot->data : nullptr;
    const auto send = [&](void* device, const void* host, size_t size) {
        if (!slot) {
            std::memcpy(device, host, size);
            return;
        }
        std::memcpy(staged, host, size);
        gpu::copy_async(device, staged, size, context_of(device_).stream());
        staged += size;
    };
    if (values) {
        send(optimizer_.learning_rate(), &values->learning_rate, sizeof(double));
        send(normalizer_.data(), &values->normalizer, sizeof(double));
    }
    for (int64_t i = 0; i < count; ++i) {
        Part& part = to.parts[size_t(i)];
        send(part.images.data(), batches[i].images.data(), part.images.bytes());
        send(part.labels.data(), batches[i].labels.data(), part.labels.bytes());
    }
    if (slot) slot->copied.record(context_of(device_).stream());
}

// Forward, backward and the log; the last micro-batch also takes the optimizer's step.
void TrainingStep::micro_batch(const Part& part, double share_of_images, int64_t index, int64_t count) {
    const LossShare share{normalizer_.as<const double>(), share_of_images};
    // Dropout draws by the optimizer's own count, which a replay reads anew.
    const StepRandomness random(net_.materialized().seed, 0, index, &optimizer_.device_state()->attempts);
    Tensor images;
    {
        const NoTape off;
        const UseScope use(BlockUse::batch);
        images = cast(part.images, options_.compute);
    }
    Tape tape;
    const NetOutputs y = net_.forward_training(images);
    const LossValue value = loss_.value(y.out, part.labels, share);
    const Tensor seed = options_.scale_loss ? optimizer_.loss_scale() : Tensor();
    std::vector<Tape::Start> starts{{value.loss, seed}};
    LossValue aux;
    if (y.aux.defined()) {
        aux = loss_.value(y.aux, part.labels, {share.normalizer, share.images, options_.aux_weight});
        starts.push_back({aux.loss, seed});
    }
    tape.backward(starts);
    const bool last = index + 1 == count;
    if (last) optimizer_.step();
    log(value, aux, share.images, index == 0, last);
}

void TrainingStep::log(const LossValue& value, const LossValue& aux, double share_of_images, bool first, bool last) {
    k::StepLogArgs args;
    args.terms = value.terms.data();
    args.aux_terms = aux.terms.data();
    args.dtype = value.terms.dtype();
    for (const LossTerm& term : loss_.terms())
        args.term_weights[args.term_count++] = term.sum == TermSum::parts ? 1 : share_of_images;
    args.first = first, args.last = last;
    args.state = optimizer_.device_state();
    args.sums = sums_.as<double>();
    args.ring = log_.as<StepLogEntry>();
    args.capacity = options_.log_capacity;
    atrous::run(device_, {k::reference::log_step, k::cpu::log_step, k::cuda::log_step}, args);
}

// The parts add up to the loss of one large batch; Dice is averaged by images.
void TrainingStep::whole_step(const Inputs& inputs) {
    int64_t images = 0;
    for (const Part& part : inputs.parts) images += part.images.shape()[0];
    net_.zero_gradients();
    const auto count = int64_t(inputs.parts.size());
    for (int64_t i = 0; i < count; ++i) {
        const Part& part = inputs.parts[size_t(i)];
        micro_batch(part, double(part.images.shape()[0]) / double(images), i, count);
    }
}

void TrainingStep::run_recorded(Inputs& inputs) {
    CachingAllocator& memory = allocator_for(device_);
    if (!inputs.graph) {
        if (!inputs.pool) inputs.pool = std::make_unique<MemoryPool>(memory);
        const CachingAllocator::PoolScope scope(memory, *inputs.pool, inputs.settled);
        if (!inputs.settled || device_.kind == DeviceKind::meta) {
            const uint64_t before = memory.pool_growth();
            whole_step(inputs);
            inputs.settled = memory.pool_growth() == before;
            return;
        }
        inputs.graph = gpu::Graph::capture(context_of(device_).stream(), [&] { whole_step(inputs); });
    }
    inputs.graph->launch(context_of(device_).stream());
    ++replayed_;
}

// Micro-batches of one shape take turns in the same memory.
void TrainingStep::run_one_by_one(const HostBatch* batches, int64_t count, const Values& values) {
    int64_t images = 0;
    for (int64_t i = 0; i < count; ++i) images += batches[i].n;
    net_.zero_gradients();
    for (int64_t i = 0; i < count; ++i) {
        Inputs& inputs = inputs_for(batches + i, 1);
        upload(batches + i, 1, inputs, i == 0 ? &values : nullptr);
        micro_batch(inputs.parts[0], double(batches[i].n) / double(images), i, count);
    }
}

void TrainingStep::run(const HostBatch* batches, int64_t count, double learning_rate) {
    require(count >= 1 && unread_ < options_.log_capacity, "training step: read() is due");
    const Values values = values_of(batches, count, learning_rate);
    if (recordable(batches, count)) {
        Inputs& inputs = inputs_for(batches, count);
        upload(batches, count, inputs, &values);
        // One of a kind, such as an epoch's last batch, is not worth a graph.
        const bool record = ++inputs.steps > 2;
        record ? run_recorded(inputs) : whole_step(inputs);
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
