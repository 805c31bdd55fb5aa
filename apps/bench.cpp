#include <fmt/core.h>

#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "benchmarks/frame/environment.h"
#include "benchmarks/frame/report.h"
#include "benchmarks/frame/roofline.h"
#include "benchmarks/frame/step.h"
#include "engine/context.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"

namespace atrous::app {
namespace {

using namespace bench;

struct KernelArguments {
    std::string op;
    std::vector<std::string> shape;
    int64_t stride = 1, padding = 0, dilation = 1, out_channels = 1;
    double scale = 2, budget = 2;
    bool relu = false, bias = false, unchecked = false, overwrite = false;
    NetConfig net;  // its settings kernel, align-corners and batch-norm serve an op too
    int64_t size = 256, batch_size = 4, classes = 2, repetitions = 20;
    Machine machine{.precision = "fp32"};
    std::string predict, json, svg;
    Options o{"bench kernels",
              "Times ops, forward and backward, against what this machine can do at most, and compares them with the "
              "reference: one op (--op), or all distinct ops of a training step of a net (--model). GB/s and TFLOP/s "
              "count what cannot be avoided."};

    KernelArguments();
    std::vector<Wanted> wanted(DType dtype) const;
};

KernelArguments::KernelArguments() {
    o.group("One op");
    o.bind("op", op, "one op: conv2d, batch_norm, max_pool, …");
    o.bind("shape", shape, "batch x height x width x channels, such as 16x256x256x64; one for each activation");
    o.bind("stride", stride, "stride of a convolution or pooling").min(1);
    o.bind("padding", padding, "padding of a convolution or pooling; not given: the one that keeps the size").min(0);
    o.bind("dilation", dilation, "dilation of a convolution").min(1);
    o.bind("out-channels", out_channels, "output channels of a convolution; not given: as many as go in").min(1);
    o.bind("scale", scale, "factor of bilinear upsampling").above(0);
    o.bind("relu", relu, "batch norm with the ReLU behind it");
    o.bind("bias", bias, "convolution with a bias");
    o.group("Or a net (--kernel and --align-corners are an op's too)");
    describe(o, net);
    describe_size(o, size);
    describe_batch_size(o, batch_size);
    describe_classes(o, classes);
    o.group("How");
    describe_precision(o, machine);
    describe_device(o, machine);
    o.bind("repetitions", repetitions, "repetitions of each pass, at most").min(5);
    o.bind("budget", budget, "time an op may take; then five repetitions suffice").min(0).unit("seconds");
    o.bind("unchecked", unchecked, "leave out the comparison with the reference");
    o.bind("predict", predict, "measure nothing: bytes, FLOPs and least time on this GPU, such as H200, A100, T4");
    o.group("Output");
    o.bind("json", json, "file for the figures (JSON lines)");
    o.bind("svg", svg, "file for a roofline (SVG)");
    describe_overwrite(o, overwrite);
}

NetConfig config_of(const Options& o, NetConfig net, int64_t classes) {
    check_applicable(o, net);
    net.out_channels = classes == 2 ? 1 : classes;
    return net;
}

std::vector<Wanted> KernelArguments::wanted(DType type) const {
    if (op.empty() != o.at("model").given())
        throw UsageError("say what to measure: `op` OP `shape` 16x256x256x64, or `model` unet");
    if (op.empty()) {
        const NetOps ops = ops_of(config_of(o, net, classes), size, batch_size, type);
        for (const std::string& note : ops.notes) fmt::print("note: {}\n", note);
        return ops.ops;
    }
    Wanted w;
    w.op = op;
    for (const std::string& s : shape) w.request.shapes.push_back(parse_shape(s));
    const auto add = [&](const char* name, const char* key, auto value) {
        if (o.at(key).given()) w.request.numbers[name] = double(value);
    };
    add("kernel", "kernel", net.kernel), add("stride", "stride", stride), add("padding", "padding", padding);
    add("dilation", "dilation", dilation), add("out_channels", "out-channels", out_channels);
    add("scale", "scale", scale), add("align_corners", "align-corners", net.align_corners);
    add("relu", "relu", relu), add("bias", "bias", bias);
    return {w};
}

int predict(const KernelArguments& a, DType dtype) {
    const Prediction p{named_gpu(a.predict).name, named_gpu(a.predict).source, dtype,
                       ceilings_of_named(a.predict, dtype), a.wanted(dtype)};
    std::fputs(prediction_table(p).c_str(), stdout);
    if (!a.json.empty()) io::write_durably(a.json, prediction_json(p));
    if (a.svg.empty()) return 0;
    std::vector<RooflinePoint> points;
    for (const Wanted& w : p.ops)
        for (const Pass& pass : passes_of(w, dtype))
            points.push_back({w.op, w.text(), pass.name == "backward", pass.work.flops / pass.work.bytes,
                              pass.work.flops / floor_s(p.ceilings, pass.work.bytes, pass.work.flops)});
    io::write_durably(a.svg, roofline_svg(fmt::format("{}, {}: the most each op could do", p.gpu, name_of(dtype)),
                                          p.ceilings, points));
    return 0;
}

void write_roofline(const std::string& path, const Run& run, const std::string& device) {
    std::vector<RooflinePoint> points;
    for (const Measurement& m : run.measurements)
        for (const Pass& p : m.passes)
            points.push_back({m.wanted.op, m.wanted.text() + " " + p.name, p.name == "backward",
                              p.work.flops / p.work.bytes, p.work.flops / p.seconds.median});
    io::write_durably(path, roofline_svg(fmt::format("{}, {}", device, name_of(run.dtype)), best_of(run), points));
}

// Says what is wrong with a run, if anything is. A GPU that was not steady makes it worthless; a busy cpu is common.
int judge(const Run& run, Device device) {
    int wrong = 0;
    for (const Measurement& m : run.measurements)
        for (const Pass& p : m.passes) wrong += p.check && !p.check->ok();
    if (wrong)
        throw NumericError(fmt::format("{} passes differ from the reference by more than their tolerance", wrong));
    if (run.emulated) {
        fmt::print("emulated: these times are the emulator's and say nothing about a GPU\n");
        return 0;
    }
    if (run.was_steady()) return 0;
    const std::string how = fmt::format(
        "the ceilings differ by {:.1f}% between the first and the last measurement ({:.0f}% is "
        "allowed): the machine was not the same all through",
        100 * drift(run.first, run.last), 100 * steady);
    if (device.kind == DeviceKind::gpu) throw Error(how + "; the run is rejected, repeat it on a quiet machine");
    fmt::print("not steady: {}; take ratios, not absolute figures\n", how);
    return 0;
}

int kernels(int argc, const char* const* argv) {
    KernelArguments a;
    Console console;
    a.o.parse(argc, argv);
    Outputs()
        .reads("--config", a.o.config_file())
        .writes("--json", a.json, FileKind::json)
        .writes("--svg", a.svg, FileKind::svg)
        .check(a.overwrite);
    const DType dtype = parse_measured_type(a.machine.precision);
    if (!a.predict.empty()) return predict(a, dtype);
    const auto wanted = a.wanted(dtype);
    for (const Wanted& w : wanted) passes_of(w, dtype);  // shapes that do not fit are found before anything is timed
    const Device device = open_device(a.machine, console);
    Run run{environment(device), dtype, measure_ceilings(device, dtype), {}, {}, false};
    run.emulated = device.kind == DeviceKind::gpu && gpu::world() == gpu::World::emulated;
    fmt::print("{}, {}: copy {:.1f} GB/s, matrix product {:.3f} TFLOP/s\n", name_of(device), name_of(dtype),
               run.first.bytes_per_s * 1e-9, run.first.flops_per_s * 1e-12);
    std::fputs(table_header().c_str(), stdout);
    for (const Wanted& w : wanted) {
        if (!supported(w, device, dtype)) {
            fmt::print("{:<18} does nothing on {} in {}\n", w.op, name_of(device), name_of(dtype));
            continue;
        }
        run.measurements.push_back(measure(w, {device, dtype, int(a.repetitions), a.budget, !a.unchecked}));
        std::fputs(table_rows(run.measurements.back(), run.first).c_str(), stdout);
        std::fflush(stdout);
    }
    run.last = measure_ceilings(device, dtype);
    if (run.measurements.empty()) return 0;
    std::fputs(totals(run.measurements, best_of(run)).c_str(), stdout);
    if (!a.json.empty()) io::write_durably(a.json, json_lines(run));
    if (!a.svg.empty()) write_roofline(a.svg, run, name_of(device));
    return judge(run, device);
}

int step(int argc, const char* const* argv) {
    Options o("bench step",
              "Times training steps, or forward passes alone, on a fixed batch of random images, without a loader.");
    StepOptions options;
    int64_t classes = 2, steps = 10;
    Machine machine{.precision = "fp32"};
    std::string json;
    bool overwrite = false;
    o.group("Net");
    describe(o, options.net);
    describe_classes(o, classes);
    o.group("Step");
    describe_size(o, options.size);
    describe_batch_size(o, options.batch_size);
    describe(o, options.optimizer);
    describe_precision(o, machine);
    describe_device(o, machine);
    o.bind("steps", steps, "timed steps, after those that warm up").min(1);
    o.bind("graphs", options.graphs, "replay the step as a graph on a GPU (--no-graphs: launch each kernel)");
    o.bind("forward", options.forward_only, "the forward pass alone, in evaluation mode, in place of the step");
    o.bind("json", json, "file for one JSON line; -: to standard output, without the table");
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    const bool to_file = !json.empty() && json != "-";
    Outputs().reads("--config", o.config_file()).writes("--json", to_file ? json : "", FileKind::json).check(overwrite);
    if (machine.precision == "fp16") throw UsageError("--precision fp16: bench step measures fp32 and bf16");
    Console console;
    check(options.optimizer);
    options.net = config_of(o, options.net, classes);
    options.steps = int(steps);
    options.device = open_device(machine, console);
    options.compute = compute_type(machine.precision, options.device);
    const StepResult result = measure_step(options);
    const std::string shown = json == "-" ? step_json(options, result) : step_table(options, result);
    std::fputs(shown.c_str(), stdout);
    if (to_file) io::write_durably(json, step_json(options, result));
    return 0;
}

}  // namespace

int bench(int argc, const char* const* argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "kernels") return kernels(argc - 1, argv + 1);
    if (what == "step") return step(argc - 1, argv + 1);
    if (what == "-h" || what == "--help")
        throw TextRequested{
            "usage: atrous bench kernels [options]   ops against what the machine can do at most\n"
            "       atrous bench step [options]      whole training steps\n"
            "-h behind either lists its options\n"};
    throw UsageError("bench '" + what + "': expected `atrous bench kernels` or `atrous bench step`");
}

}  // namespace atrous::app
