#include "benchmarks/frame/step.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "benchmarks/frame/clock.h"
#include "benchmarks/frame/environment.h"
#include "benchmarks/frame/measure.h"
#include "engine/io/text.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "tests/models/hashed.h"

namespace atrous::bench {

static Tensor images_of(const StepOptions& o) {
    const auto values = hashed_images("input.step", o.batch_size, o.size, o.size, o.net.in_channels);
    const std::vector<float> narrow(values.begin(), values.end());
    Tensor images = Tensor::empty({o.batch_size, o.size, o.size, o.net.in_channels}, DType::f32, o.device);
    images.copy_from_host(narrow.data(), images.bytes());
    return cast(images, o.compute);
}

static Tensor labels_of(const StepOptions& o) {
    const auto ids =
        hashed_labels("labels.step", o.batch_size * o.size * o.size, std::max<int64_t>(2, o.net.out_channels));
    Tensor labels = Tensor::empty({o.batch_size, o.size, o.size, 1}, DType::u8, o.device);
    labels.copy_from_host(ids.data(), ids.size());
    return labels;
}

static double flops_of_step(const StepOptions& o) {
    double flops = 0;
    for (const Wanted& w : ops_of(o.net, o.size, o.batch_size, o.compute).ops)
        for (const Pass& p : passes_of(w, o.compute)) flops += w.count * p.work.flops;
    return flops;
}

StepResult measure_step(const StepOptions& o) {
    StepResult r;
    r.flops = flops_of_step(o);
    const double began = now_s();
    const auto net = make_net(o.net);
    net->materialize({.device = o.device, .compute = o.compute});
    set_hashed_weights(*net);
    Optimizer optimizer(*net, {.kind = o.optimizer});
    const Tensor images = images_of(o), labels = labels_of(o);
    r.parameters = net->parameter_count();
    r.start_s = now_s() - began;
    std::vector<double> seconds;
    for (int step = 0; step <= o.steps; ++step) {
        const double before = now_s();
        net->zero_gradients();
        Tape tape;
        const LossValue loss = bce_dice(net->forward(images), labels);
        tape.backward(loss.loss);
        optimizer.step(o.learning_rate);
        r.losses.push_back(loss.loss.item());
        context_of(o.device).synchronize();
        (step == 0 ? r.first_s : seconds.emplace_back()) = now_s() - before;
    }
    r.seconds = statistics(seconds);
    r.images_per_s = double(o.batch_size) / r.seconds.median;
    r.device_peak_bytes = context_of(o.device).memory().statistics().peak_bytes;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    r.host_peak_bytes = size_t(usage.ru_maxrss) << 10;
    return r;
}

std::string step_table(const StepOptions& o, const StepResult& r) {
    return fmt::format(
        "{} with {} parameters, {}x{}x{}, {} on {}\n"
        "step        {:.4f} s median, {:.4f} p10, {:.4f} p90, of {} (the first: {:.4f} s)\n"
        "            {:.1f} images/s, {:.3g} TFLOP/s of {:.3g} TFLOP a step\n"
        "peak memory {} on the device, {} of the process\n"
        "losses      {:.6f} … {:.6f}\n",
        o.net.model, r.parameters, o.batch_size, o.size, o.size, name_of(o.compute), name_of(o.device),
        r.seconds.median, r.seconds.p10, r.seconds.p90, r.seconds.count, r.first_s, r.images_per_s,
        r.flops / r.seconds.median * 1e-12, r.flops * 1e-12, io::format_bytes(r.device_peak_bytes),
        io::format_bytes(r.host_peak_bytes), r.losses.front(), r.losses.back());
}

std::string step_json(const StepOptions& o, const StepResult& r) {
    nlohmann::ordered_json j{{"kind", "step"}, {"engine", "atrous"}};
    for (const auto& [name, value] : environment(o.device)) j[name] = value;
    j["model"] = o.net.model;
    j["base_channels"] = o.net.base_channels;
    j["depth"] = o.net.depth;
    j["bilinear"] = o.net.bilinear;
    j["size"] = o.size;
    j["batch_size"] = o.batch_size;
    j["precision"] = name_of(o.compute);
    j["optimizer"] = name_of(o.optimizer);
    j["parameters"] = r.parameters;
    j["median_s"] = r.seconds.median;
    j["p10_s"] = r.seconds.p10;
    j["p90_s"] = r.seconds.p90;
    j["min_s"] = r.seconds.least;
    j["steps"] = r.seconds.count;
    j["first_s"] = r.first_s;
    j["start_s"] = r.start_s;
    j["images_per_s"] = r.images_per_s;
    j["TFLOP"] = r.flops * 1e-12;
    j["TFLOPs"] = r.flops / r.seconds.median * 1e-12;
    j["device_peak_mib"] = double(r.device_peak_bytes) / (1 << 20);
    j["max_rss_mib"] = double(r.host_peak_bytes) / (1 << 20);
    j["losses"] = r.losses;
    return j.dump() + "\n";
}

}  // namespace atrous::bench
