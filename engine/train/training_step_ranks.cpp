// What a training step sends to the other ranks.
#include "engine/context.h"
#include "engine/train/training_step.h"

namespace atrous {

void TrainingStep::all_reduce(void* data, int64_t count, DType dtype) {
    const Context& context = context_of(device_);
    const gpu::DeviceGuard current = context.guard();
    ranks_.all_reduce(data, count, dtype, context.stream());
}

// Net, optimizer and what dropout draws by become those of rank 0.
void TrainingStep::broadcast_state() {
    const Context& context = context_of(device_);
    const gpu::DeviceGuard current = context.guard();
    const auto send = [&](const Tensor& t) {
        if (t.defined()) ranks_.broadcast(t.data(), t.bytes(), 0, context.stream());
    };
    send(net_.arena().values);
    send(net_.arena().halves);
    for (auto& [path, buffer] : net_.buffers()) send(buffer->value);
    for (const Tensor& t : optimizer_.state_tensors()) send(t);
    if (const WeightAverage* average = optimizer_.average())
        for (const Tensor& t : average->blocks()) send(t);
    StepState state = optimizer_.state();
    ranks_.broadcast(&state, sizeof state, 0, {});
    ranks_.broadcast(&seed_, sizeof seed_, 0, {});
    optimizer_.set_state(state);
}

}  // namespace atrous
