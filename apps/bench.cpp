#include <fmt/core.h>

#include <cstdio>

#include "apps/exit_codes.h"
#include "apps/net_options.h"
#include "apps/options.h"
#include "apps/outputs.h"
#include "apps/session.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "benchmarks/frame/environment.h"
#include "benchmarks/frame/report.h"
#include "benchmarks/frame/roofline.h"
#include "benchmarks/frame/step.h"
#include "engine/context.h"

namespace atrous::app {
namespace {

using namespace bench;

struct KernelArguments {
    Options o{"bench kernels",
              "Times ops, forward and backward, against what this machine can do at most, and compares them with the "
              "reference. GB/s and TFLOP/s count what cannot be avoided."};
    Setting<std::string>& op = (o.group("What"), o.text("op", "", "one op: conv2d, batch_norm, max_pool, …"));
    Setting<std::vector<std::string>>& shape =
        o.texts("shape", {}, "batch x height x width x channels, such as 16x256x256x64; one for each activation");
    Setting<int64_t>&kernel = o.integer("kernel", 3, "of a convolution or pooling").min(1).max(15),
    &stride = o.integer("stride", 1, "of a convolution or pooling").min(1),
    &padding = o.integer("padding", 0, "of a convolution or pooling; not given: the one that keeps the size").min(0),
    &dilation = o.integer("dilation", 1, "of a convolution").min(1),
    &out_channels = o.integer("out-channels", 1, "of a convolution; not given: as many as go in").min(1);
    Setting<double>& scale = o.number("scale", 2, "of bilinear upsampling").above(0);
    Setting<bool>&align_corners = o.flag("align-corners", "of bilinear upsampling"),
    &relu = o.flag("relu", "of batch norm; the usual case"), &bias = o.flag("bias", "of a convolution");
    Setting<std::string>& model =
        (o.group("Or a net"), o.text("from-model", "", "all distinct ops of a training step of this net"));
    Setting<std::string>& encoder = o.text("encoder", "", "of the net, where it takes one");
    Setting<int64_t>&base_channels =
        o.integer("base-channels", 64, "unet: channels of the first level").min(1).max(1024),
    &depth = o.integer("depth", 4, "unet: times the resolution is halved").min(1).max(8),
    &output_stride = o.integer("output-stride", 0, "of the encoder; 0: the model's own").min(0).max(32),
    &size = o.integer("size", 256, "width and height of an image").min(8).max(8192),
    &batch_size = o.integer("batch-size", 4, "images at once").letter('b').min(1).max(max_images),
    &classes = o.integer("classes", 2, "of a mask").min(2).max(255);
    Setting<bool>& bilinear = o.flag("bilinear", "unet: bilinear upsampling in place of transposed convolution");
    Setting<std::string>&dtype =
        (o.group("How"), o.choice("dtype", {"fp32", "bf16", "fp16"}, "fp32", "of activations")),
    &device = o.text("device", "auto", "auto, cpu, cuda, cuda:N, emulated or reference");
    Setting<int64_t>&threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024),
    &repetitions = o.integer("repetitions", 20, "of each pass, at most").min(5);
    Setting<double>& budget = o.number("budget", 2, "seconds an op may take; then five repetitions suffice").min(0);
    Setting<bool>& no_check = o.flag("unchecked", "leave out the comparison with the reference");
    Setting<std::string>& predict =
        o.text("predict", "", "measure nothing: bytes, FLOPs and least time on this GPU, such as H200, A100, T4");
    Setting<std::string>&json = (o.group("Output"), o.text("json", "", "JSON lines to this file")),
    &svg = o.text("svg", "", "a roofline to this file");
    Setting<bool>& overwrite = overwrite_option(o);

    NetConfig net() const;
    std::vector<Wanted> wanted(DType dtype) const;
};

NetConfig KernelArguments::net() const {
    NetConfig c;
    c.model = model.value;
    c.encoder = encoder.value;
    c.base_channels = base_channels.value;
    c.depth = depth.value;
    c.output_stride = output_stride.value;
    c.out_channels = classes.value == 2 ? 1 : classes.value;
    c.bilinear = bilinear.value;
    return c;
}

std::vector<Wanted> KernelArguments::wanted(DType type) const {
    if (op.value.empty() == model.value.empty())
        throw UsageError("say what to measure: --op OP --shape 16x256x256x64, or --from-model unet");
    if (!model.value.empty()) {
        const NetOps ops = ops_of(net(), size.value, batch_size.value, type);
        for (const std::string& note : ops.notes) fmt::print("note: {}\n", note);
        return ops.ops;
    }
    Wanted w;
    w.op = op.value;
    for (const std::string& s : shape.value) w.request.shapes.push_back(parse_shape(s));
    const auto add = [&](const char* name, const auto& option) {
        if (option.given()) w.request.numbers[name] = double(option.value);
    };
    add("kernel", kernel), add("stride", stride), add("padding", padding), add("dilation", dilation);
    add("out_channels", out_channels), add("scale", scale), add("align_corners", align_corners);
    add("relu", relu), add("bias", bias);
    return {w};
}

int predict(const KernelArguments& a, DType dtype) {
    const Prediction p{named_gpu(a.predict.value).name, named_gpu(a.predict.value).source, dtype,
                       ceilings_of_named(a.predict.value, dtype), a.wanted(dtype)};
    std::fputs(prediction_table(p).c_str(), stdout);
    if (!a.json.value.empty()) io::write_durably(a.json.value, prediction_json(p));
    if (a.svg.value.empty()) return 0;
    std::vector<RooflinePoint> points;
    for (const Wanted& w : p.ops)
        for (const Pass& pass : passes_of(w, dtype))
            points.push_back({w.op, w.text(), pass.name == "backward", pass.work.flops / pass.work.bytes,
                              pass.work.flops / floor_s(p.ceilings, pass.work.bytes, pass.work.flops)});
    io::write_durably(a.svg.value, roofline_svg(fmt::format("{}, {}: the most each op could do", p.gpu, name_of(dtype)),
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
    a.o.parse(argc, argv);
    Outputs()
        .reads("--config", a.o.config_file())
        .writes("--json", a.json.value, FileKind::json)
        .writes("--svg", a.svg.value, FileKind::svg)
        .check(a.overwrite.value);
    const DType dtype = parse_measured_type(a.dtype.value);
    if (!a.predict.value.empty()) return predict(a, dtype);
    const auto wanted = a.wanted(dtype);
    for (const Wanted& w : wanted) passes_of(w, dtype);  // shapes that do not fit are found before anything is timed
    const Device device = open_device(a.device.value, int(a.threads.value));
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
        run.measurements.push_back(
            measure(w, {device, dtype, int(a.repetitions.value), a.budget.value, !a.no_check.value}));
        std::fputs(table_rows(run.measurements.back(), run.first).c_str(), stdout);
        std::fflush(stdout);
    }
    run.last = measure_ceilings(device, dtype);
    if (run.measurements.empty()) return 0;
    std::fputs(totals(run.measurements, best_of(run)).c_str(), stdout);
    if (!a.json.value.empty()) io::write_durably(a.json.value, json_lines(run));
    if (!a.svg.value.empty()) write_roofline(a.svg.value, run, name_of(device));
    return judge(run, device);
}

int step(int argc, const char* const* argv) {
    Options o("bench step",
              "Times training steps, or forward passes alone, on a fixed batch of random images, without a loader.");
    NetOptions net(o);
    auto& classes = o.integer("classes", 2, "of a mask").min(2).max(255);
    o.group("Step");
    auto& size = o.integer("size", 256, "width and height of an image").min(8).max(8192);
    auto& batch_size = o.integer("batch-size", 4, "images at once").letter('b').min(1).max(max_images);
    auto& optimizer = o.choice("optimizer", {"sgd", "adam", "adamw", "rmsprop"}, "adam", "the optimizer");
    auto& precision = o.choice("precision", {"fp32", "bf16"}, "fp32", "of activations and convolutions");
    auto& device = o.text("device", "auto", "auto, cpu, cuda, cuda:N or emulated");
    auto& threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024);
    auto& steps = o.integer("steps", 10, "timed steps, after those that warm up").min(1);
    auto& graphs = o.flag("graphs", "replay the step as a graph on a GPU (--no-graphs: launch each kernel)", true);
    auto& forward = o.flag("forward", "the forward pass alone, in evaluation mode, in place of the step");
    auto& json = o.text("json", "", "one JSON line to this file; -: to standard output, without the table");
    auto& overwrite = overwrite_option(o);
    o.parse(argc, argv);
    Outputs()
        .reads("--config", o.config_file())
        .writes("--json", json.value == "-" ? "" : json.value, FileKind::json)
        .check(overwrite.value);
    StepOptions options;
    options.net = net.config(3, classes.value == 2 ? 1 : classes.value);
    options.size = size.value;
    options.batch_size = batch_size.value;
    options.steps = int(steps.value);
    options.device = open_device(device.value, int(threads.value));
    options.compute = compute_type(precision.value, options.device);
    options.optimizer = parse_optimizer(optimizer.value);
    options.aux_weight = net.aux_weight.value;
    options.graphs = graphs.value;
    options.forward_only = forward.value;
    const StepResult result = measure_step(options);
    if (json.value != "-") std::fputs(step_table(options, result).c_str(), stdout);
    if (json.value == "-") std::fputs(step_json(options, result).c_str(), stdout);
    if (!json.value.empty() && json.value != "-") io::write_durably(json.value, step_json(options, result));
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
