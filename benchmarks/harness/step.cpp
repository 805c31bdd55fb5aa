#include "benchmarks/harness/step.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "benchmarks/harness/clock.h"
#include "benchmarks/harness/environment.h"
#include "benchmarks/harness/hashed.h"
#include "benchmarks/harness/measure.h"
#include "engine/ops/elementwise.h"
#include "engine/train/training_step.h"
#include "models/unet.h"

namespace atrous::bench {

static constexpr int max_warm_ups = 10;  // a step is recorded as a graph once it takes no new memory

static HostBatch batch_of(const StepOptions& o) {
    const int64_t n = o.batch_size, c = o.net.in_channels, pixels = o.size.height * o.size.width,
                  classes = classes_of(o.net.out_channels);
    HostBatch b{n,
                o.size.height,
                o.size.width,
                c,
                {},
                {},
                std::vector<std::string>(size_t(n)),
                std::vector<int64_t>(size_t(n))};
    const auto images = nhwc_of(hashed("input.step", n * c * pixels), n, c, pixels);
    b.images.assign(images.begin(), images.end());
    for (double u : hashed("labels.step", n * pixels))
        b.labels.push_back(u > 0.95 ? 255 : uint8_t(std::floor((u + 1) / 2 * double(classes))));
    return b;
}

static double flops_of_step(const StepOptions& o) {
    double flops = 0;
    for (const Workload& w : ops_of(o.net, o.size, o.batch_size, o.compute, !o.forward_only).ops)
        for (const Pass& p : passes_of(w, o.compute))
            if (!o.forward_only || p.name == "forward") flops += w.count * p.work.flops;
    return flops;
}

static LossFactory loss_of(const StepOptions& o) { return o.net.out_channels > 1 ? class_loss() : bce_dice_loss(); }

// One run timed by the host: nothing is under way before or after it.
static double timed_alone(Device device, const std::function<void()>& run) {
    const double before = now_s();
    run();
    context_of(device).synchronize();
    return now_s() - before;
}

// Every run timed. On a GPU they are submitted one after the other, as a training does, and timed between events on the
// stream; the host waits for the last one only.
static std::vector<double> timed_in_a_row(Device device, int runs, const std::function<void()>& run) {
    std::vector<double> seconds;
    if (device.kind != DeviceKind::gpu) {
        for (int i = 0; i < runs; ++i) seconds.push_back(timed_alone(device, run));
        return seconds;
    }
    const gpu::DeviceGuard current = context_of(device).guard();
    const gpu::StreamView stream = context_of(device).stream();
    std::vector<gpu::Event> events(size_t(runs) + 1);
    events[0].record(stream);
    for (int i = 0; i < runs; ++i) {
        run();
        events[size_t(i) + 1].record(stream);
    }
    events.back().synchronize();
    for (size_t i = 0; i < size_t(runs); ++i) seconds.push_back(events[i + 1].ms_since(events[i]) * 1e-3);
    return seconds;
}

static void measure_steps(const StepOptions& o, SegmentationNet& net, const LossFunction& loss, StepResult& r) {
    Optimizer optimizer(net, o.optimizer);
    TrainingStep step(net, optimizer, loss,
                      {.compute = o.compute,
                       .aux_weight = o.net.aux_weight,
                       .graphs = o.graphs,
                       .log_capacity = o.steps + max_warm_ups + 1});
    const HostBatch batch = batch_of(o);
    const auto run = [&] { step.run(&batch, 1, o.learning_rate); };
    const bool recorded = o.graphs && o.device.kind == DeviceKind::gpu;
    r.first_s = timed_alone(o.device, run);
    for (r.warm_ups = 1; recorded && step.replayed() == 0 && r.warm_ups < max_warm_ups; ++r.warm_ups)
        timed_alone(o.device, run);
    r.seconds = statistics(timed_in_a_row(o.device, o.steps, run));
    for (const StepLogEntry& entry : step.read()) {
        if (entry.labels.count > 0)
            throw Error(
                fmt::format("benchmark: {} labels are no class, the first {}; expected all to be one of the net's",
                            entry.labels.count, entry.labels.label));
        r.losses.push_back(entry.loss);
    }
    r.replayed = step.replayed();
}

// Images lie on the device already; the loss is computed once, to show what was computed.
static void measure_forward(const StepOptions& o, SegmentationNet& net, const LossFunction& loss, StepResult& r) {
    const HostBatch batch = batch_of(o);
    const NoTape off;
    net.set_training(false);
    Tensor f32 = Tensor::empty({batch.n, batch.h, batch.w, batch.c}, DType::f32, o.device);
    f32.copy_from_host(batch.images.data(), f32.bytes());
    Tensor labels = Tensor::empty({batch.n, batch.h, batch.w, 1}, DType::u8, o.device);
    labels.copy_from_host(batch.labels.data(), labels.bytes());
    const Tensor images = cast(f32, o.compute);
    const auto run = [&] { net.forward(images); };
    r.first_s = timed_alone(o.device, run);
    r.warm_ups = 1;
    r.seconds = statistics(timed_in_a_row(o.device, o.steps, run));
    r.losses.assign(2, loss.value(net.forward(images), labels).loss.item());
}

StepResult measure_step(const StepOptions& o) {
    StepResult r;
    r.flops = flops_of_step(o);
    const double began = now_s();
    const auto net = make_net(o.net);
    net->materialize({.device = o.device, .compute = o.compute});
    set_hashed_weights<float>(*net);
    const auto loss = loss_of(o)(o.device, o.compute);
    r.parameters = net->parameter_count();
    r.start_s = now_s() - began;
    (o.forward_only ? measure_forward : measure_steps)(o, *net, *loss, r);
    r.images_per_s = double(o.batch_size) / r.seconds.median;
    const MemoryStatistics memory = context_of(o.device).memory().statistics();
    r.device_peak_bytes = memory.peak_bytes, r.device_reserved_bytes = memory.reserved_bytes;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    r.host_peak_bytes = size_t(usage.ru_maxrss) << 10;
    return r;
}

std::string step_table(const StepOptions& o, const StepResult& r) {
    return fmt::format(
        "{} with {} parameters, {} image{} of {}, {} on {}\n"
        "{:<11} {:.4f} s median, {:.4f} p10, {:.4f} p90, of {}{} (the first: {:.4f} s)\n"
        "            {:.1f} images/s, {:.3g} TFLOP/s of {:.3g} TFLOP each\n"
        "peak memory {} on the device, {} of the process\n"
        "losses      {:.6f} … {:.6f}\n",
        o.net.model, r.parameters, o.batch_size, o.batch_size == 1 ? "" : "s", width_by_height(o.size),
        measured_name(o.compute), name_of(o.device), o.forward_only ? "forward" : "step", r.seconds.median,
        r.seconds.p10, r.seconds.p90, r.seconds.count, r.replayed ? " replayed from a graph" : "", r.first_s,
        r.images_per_s, r.flops / r.seconds.median * 1e-12, r.flops * 1e-12, io::format_bytes(r.device_peak_bytes),
        io::format_bytes(r.host_peak_bytes), r.losses.front(), r.losses.back());
}

std::string step_json(const StepOptions& o, const StepResult& r) {
    nlohmann::ordered_json j{{"kind", o.forward_only ? "forward" : "step"}, {"engine", "atrous"}};
    for (const auto& [name, value] : environment(o.device)) j[name] = value;
    j["model"] = o.net.model;
    if (!o.net.encoder.empty()) j["encoder"] = o.net.encoder;
    const UNetOptions& unet = o.net.models.of<UNetModel>("unet").options;
    j["base_channels"] = unet.base_channels;
    j["depth"] = unet.depth;
    j["bilinear"] = unet.bilinear;
    if (o.size.square())
        j["size"] = o.size.width;
    else
        j["size"] = text_of(o.size);
    j["batch_size"] = o.batch_size;
    j["precision"] = measured_name(o.compute);
    j["optimizer"] = o.optimizer.rule;
    j["side_stream"] = o.side_stream && has_side_stream(o);
    j["parameters"] = r.parameters;
    j["median_s"] = r.seconds.median;
    j["p10_s"] = r.seconds.p10;
    j["p90_s"] = r.seconds.p90;
    j["min_s"] = r.seconds.least;
    j["steps"] = r.seconds.count;
    j["warm_ups"] = r.warm_ups;
    j["replayed"] = r.replayed;
    j["first_s"] = r.first_s;
    j["start_s"] = r.start_s;
    j["images_per_s"] = r.images_per_s;
    j["TFLOP"] = r.flops * 1e-12;
    j["TFLOPs"] = r.flops / r.seconds.median * 1e-12;
    j["device_peak_mib"] = double(r.device_peak_bytes) / (1 << 20);
    j["device_reserved_mib"] = double(r.device_reserved_bytes) / (1 << 20);
    j["max_rss_mib"] = double(r.host_peak_bytes) / (1 << 20);
    j["losses"] = r.losses;
    return j.dump() + "\n";
}

}  // namespace atrous::bench
