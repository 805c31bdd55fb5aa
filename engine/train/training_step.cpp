#include "engine/train/training_step.h"

#include <cstring>

#include "engine/context.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/profile.h"
#include "engine/simulation.h"

namespace atrous {

namespace k = kernels;

// How a shape comes to be replayed: eagerly within its pool until a step takes no new memory, then as a graph.
struct TrainingStep::Inputs {
    Tensor images, labels;  // f32 and u8, filled before each step
    std::unique_ptr<MemoryPool> pool;
    std::optional<gpu::Graph> graph;  // destroyed before the pool it works in
    int64_t steps = 0;
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

TrainingStep::TrainingStep(SegmentationNet& net, Optimizer& optimizer, const Loss& loss,
                           const TrainingStepOptions& options)
    : net_(net), optimizer_(optimizer), loss_(loss), options_(options), device_(net.materialized().device) {
    log_ = Tensor::full({options.log_capacity * int64_t(sizeof(StepLogEntry))}, DType::u8, device_, 0);
    sums_ = Tensor::full({3 * int64_t(sizeof(double))}, DType::u8, device_, 0);
    graphs_ = options.graphs && kernels_of(device_) == DeviceKind::gpu;
    if (device_.kind == DeviceKind::gpu) staging_ = std::make_unique<Staging>();
}

// Graphs and pinned memory may be in use until the stream is done.
TrainingStep::~TrainingStep() {
    try {
        if (device_.kind == DeviceKind::gpu) context_of(device_).synchronize();
    } catch (...) {  // the error was, or will be, reported where it can be handled
    }
}

TrainingStep::Inputs& TrainingStep::inputs_for(const HostBatch& b) {
    auto& inputs = inputs_[{b.n, b.h, b.w, b.c}];
    if (inputs) return *inputs;
    inputs = std::make_unique<Inputs>();
    const UseScope use(BlockUse::batch);
    inputs->images = Tensor::empty({b.n, b.h, b.w, b.c}, DType::f32, device_);
    inputs->labels = Tensor::empty({b.n, b.h, b.w, 1}, DType::u8, device_);
    return *inputs;
}

void TrainingStep::upload(const HostBatch& batch, Inputs& to, const double* learning_rate) {
    if (device_.kind == DeviceKind::meta) return;  // shapes are all that there is
    const ProfileScope span("upload", "upload");
    const size_t image_bytes = to.images.bytes(), label_bytes = to.labels.bytes();
    require(batch.images.size() * sizeof(float) == image_bytes && batch.labels.size() == label_bytes,
            "training step: the batch's images or labels do not fill its shape");
    if (!staging_) {
        to.images.copy_from_host(batch.images.data(), image_bytes);
        to.labels.copy_from_host(batch.labels.data(), label_bytes);
        if (learning_rate) optimizer_.set_learning_rate(*learning_rate);
        return;
    }
    auto& slot = staging_->take(sizeof(double) + image_bytes + label_bytes);
    std::byte *const images = slot.data + sizeof(double), *const labels = images + image_bytes;
    std::memcpy(images, batch.images.data(), image_bytes);
    std::memcpy(labels, batch.labels.data(), label_bytes);
    const gpu::StreamView stream = context_of(device_).stream();
    gpu::copy_async(to.images.data(), images, image_bytes, stream);
    gpu::copy_async(to.labels.data(), labels, label_bytes, stream);
    if (learning_rate) {
        std::memcpy(slot.data, learning_rate, sizeof(double));
        optimizer_.set_learning_rate_from(reinterpret_cast<const double*>(slot.data));
    }
    slot.copied.record(stream);
}

// Forward, backward and the log; the last micro-batch also takes the optimizer's step.
void TrainingStep::micro_batch(const Inputs& inputs, const LossShare& share, int64_t index, int64_t count) {
    // Dropout draws by the optimizer's own count, which a replay reads anew.
    const StepRandomness random(net_.materialized().seed, 0, index, &optimizer_.device_state()->attempts);
    Tensor images;
    {
        const NoTape off;
        const UseScope use(BlockUse::batch);
        images = cast(inputs.images, options_.compute);
    }
    Tape tape;
    const NetOutputs y = net_.forward_training(images);
    const LossValue value = loss_(y.out, inputs.labels, share);
    const Tensor seed = options_.scale_loss ? optimizer_.loss_scale() : Tensor();
    std::vector<Tape::Start> starts{{value.loss, seed}};
    LossValue aux;
    if (y.aux.defined()) {
        aux = loss_(y.aux, inputs.labels, {share.normalizer, share.images, options_.aux_weight});
        starts.push_back({aux.loss, seed});
    }
    tape.backward(starts);
    const bool last = index + 1 == count;
    if (last) optimizer_.step();
    atrous::run(
        device_, {k::reference::log_step, k::cpu::log_step, k::cuda::log_step},
        k::StepLogArgs{value.terms.data(), aux.terms.data(), value.terms.dtype(), share.images, index == 0, last,
                       optimizer_.device_state(), sums_.as<double>(), log_.as<StepLogEntry>(), options_.log_capacity});
}

void TrainingStep::whole_step(const Inputs& inputs) {
    net_.zero_gradients();
    micro_batch(inputs, {}, 0, 1);
}

void TrainingStep::run_recorded(Inputs& inputs) {
    CachingAllocator& memory = memory_of(device_);
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

void TrainingStep::run(const HostBatch* batches, int64_t count, double learning_rate) {
    require(count >= 1 && unread_ < options_.log_capacity, "training step: read() is due");
    if (count == 1) {
        Inputs& inputs = inputs_for(batches[0]);
        upload(batches[0], inputs, &learning_rate);
        // One of a kind, such as an epoch's last batch, is not worth a graph.
        const bool record = graphs_ && ++inputs.steps > 2;
        record ? run_recorded(inputs) : whole_step(inputs);
    } else {
        int64_t images = 0;
        double counted = 0;
        for (int64_t i = 0; i < count; ++i) {
            images += batches[i].n;
            counted += loss_.normalizer_of(batches[i].labels, net_.out_channels());
        }
        net_.zero_gradients();
        for (int64_t i = 0; i < count; ++i) {
            Inputs& inputs = inputs_for(batches[i]);
            upload(batches[i], inputs, i == 0 ? &learning_rate : nullptr);
            // The parts add up to the loss of one large batch; Dice is averaged by images.
            micro_batch(inputs, {counted > 0 ? counted : 1, double(batches[i].n) / double(images)}, i, count);
        }
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
