// Times whole training steps (upload, forward, backward, optimizer) as the trainer takes them, or forward passes alone,
// on a fixed batch without a loader: what benchmarks/peers/torch_step.py does in PyTorch, with the same weights, data
// and loss.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/image_size.h"
#include "benchmarks/harness/statistics.h"
#include "engine/optim/optimizer.h"
#include "models/catalogue.h"

namespace atrous::bench {

struct StepOptions {
    NetConfig net;
    ImageSize size = 256;
    int64_t batch_size = 4;
    int steps = 10;  // timed; before them those that make primitives, take memory, and are recorded as a graph
    Device device;
    DType compute = DType::f32;
    OptimizerOptions optimizer = {};
    double learning_rate = 1e-4;
    bool graphs = true;         // replay the step as a graph where the device can
    bool side_stream = true;    // whether SideBranch was allowed (engine/side_branch.h), as the record tells
    bool forward_only = false;  // the forward pass in evaluation mode, without a tape, in place of the step
};

// Whether weight gradients may run beside input gradients there.
inline bool has_side_stream(const StepOptions& o) { return o.device.kind == DeviceKind::gpu && !o.forward_only; }

struct StepResult {
    Statistics seconds;
    double first_s = 0, start_s = 0;  // the first step; building the net before it
    std::vector<double> losses;       // of every step, the first included
    int64_t parameters = 0;
    double images_per_s = 0;
    double flops = 0;  // of the convolutions and ops of a step, counted from shapes
    int warm_ups = 0;
    int64_t replayed = 0;
    size_t device_peak_bytes = 0, host_peak_bytes = 0;  // of our allocator on the device; of the whole process
    size_t device_reserved_bytes = 0;                   // that the allocator has got from the device
};

StepResult measure_step(const StepOptions& options);
std::string step_table(const StepOptions& options, const StepResult& result);
std::string step_json(const StepOptions& options, const StepResult& result);  // one line

}  // namespace atrous::bench
