#include <fmt/core.h>

#include <cstdio>

#include "apps/bench.h"
#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "base/durable_file.h"
#include "benchmarks/harness/environment.h"
#include "benchmarks/harness/outcome.h"
#include "benchmarks/harness/report.h"
#include "engine/context.h"
#include "engine/math_mode.h"
#include "models/unet.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/tuning.h"

namespace atrous::app {
namespace {

using namespace bench;

struct KernelArguments {
    std::string op;
    std::vector<std::string> shape;
    int64_t stride = 1, padding = 0, dilation = 1, out_channels = 1;
    double scale = 2, budget = 2;
    bool relu = false, bias = false, unchecked = false, overwrite = false, all = false, list = false;
    NetConfig net;  // its settings kernel, align-corners and batch-norm serve an op too
    int64_t size = 256, batch_size = 4, classes = 2, repetitions = 20;
    Machine machine{.precision = "fp32"};
    std::string predict, json, svg;
    Options o{"bench kernels",
              "Times ops, forward and backward, against what this machine can do at most, and compares them with the "
              "reference: one op (--op), or all distinct ops of a training step of a net (--model). GB/s and TFLOP/s "
              "count what cannot be avoided."};

    KernelArguments();
    std::vector<Workload> wanted(DType dtype) const;
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
    describe_precision(o, machine).one_of(precision_words()).help =
        "element type and arithmetic: tf32 has float tensors, whose products round their factors on tensor cores";
    describe_device(o, machine);
    o.bind("repetitions", repetitions, "repetitions of each pass, at most").min(5);
    o.bind("budget", budget, "time an op may take; then five repetitions suffice").min(0).unit("seconds");
    o.bind(
        "all", all,
        "all implementations that support the shape, those that --kernels does not choose in brackets; on a GPU also "
        "every way that --tune chooses from");
    o.bind("list", list, "implementations that --kernels chooses from, in order, instead of measuring");
    o.bind("unchecked", unchecked, "leave out the comparison with the reference");
    o.bind("predict", predict, "measure nothing: bytes, FLOPs and least time on this GPU, such as H200, A100, T4");
    o.group("Output");
    describe_json(o, json).help = "file for the figures (JSON lines)";
    o.bind("svg", svg, "file for a roofline (SVG)");
    describe_overwrite(o, overwrite);
}

std::vector<Workload> KernelArguments::wanted(DType type) const {
    if (op.empty() != o.at("model").given())
        throw UsageError("say what to measure: `op` OP `shape` 16x256x256x64, or `model` unet");
    if (op.empty()) {
        const NetOps ops = ops_of(measured_net(o, net, classes), size, batch_size, type);
        for (const std::string& note : ops.notes) fmt::print("note: {}\n", note);
        return ops.ops;
    }
    Settings of_net;
    NetConfig unused;
    describe(of_net, unused);
    for (const auto& s : of_net.all())
        if (s->key != "kernel" && s->key != "align-corners" && o.at(s->key).given())
            throw UsageError("`" + s->key + "` belongs to a net, not to `op`");
    Workload w;
    w.op = op;
    for (const std::string& s : shape) w.request.shapes.push_back(parse_shape(s));
    const auto add = [&](const char* name, const char* key, auto value) {
        if (o.at(key).given()) w.request.numbers[name] = double(value);
    };
    const UNetOptions& of_unet = net.models.of<UNetModel>("unet").options;
    add("kernel", "kernel", of_unet.kernel), add("stride", "stride", stride), add("padding", "padding", padding);
    add("dilation", "dilation", dilation), add("out_channels", "out-channels", out_channels);
    add("scale", "scale", scale), add("align_corners", "align-corners", of_unet.align_corners);
    add("relu", "relu", relu), add("bias", "bias", bias);
    return {w};
}

int list_families() {
    fmt::print("{:<8} {:<32} {:<8} {:<8} {}\n", "device", "function", "name", "by", "needs");
    for (const auto& family : kernel_families())
        for (const auto& member : family.members)
            fmt::print("{:<8} {:<32} {:<8} {:<8} {}\n", family.device, family.function, member.name, member.provider,
                       member.absent().empty() ? member.needs : member.absent());
    return exit_ok;
}

int predict(const KernelArguments& a, DType dtype) {
    const NamedGpu& gpu = named_gpu(a.predict);
    const Prediction p{gpu.name, gpu.source, dtype, ceilings_of_named(a.predict, dtype), a.wanted(dtype)};
    std::fputs(prediction_table(p).c_str(), stdout);
    if (!a.json.empty()) io::write_durably(a.json, prediction_json(p));
    if (!a.svg.empty()) io::write_durably(a.svg, roofline_of(p));
    return exit_ok;
}

// Appends the measurement and prints it, without passes that ran the same kernels before.
void add(Run& run, Measurement m, std::vector<Measurement>& of_this_op) {
    for (const Measurement& earlier : of_this_op)
        for (const Pass& pass : earlier.passes)
            std::erase_if(m.passes, [&](const Pass& p) { return p.name == pass.name && p.variants == pass.variants; });
    std::fputs(table_rows(m, run.first).c_str(), stdout);
    std::fflush(stdout);
    of_this_op.push_back(m);
    run.measurements.push_back(std::move(m));
}

// Every implementation and plan of the op's convolutions, as a tuner times them.
void show_ways(const Workload& w, const KernelArguments& a, Device device, DType dtype) {
    kernels::ProblemLog problems;
    measure(w, {device, dtype, 5, 0, false});
    const TuneResult result = tune(problems, device, {}, {.budget_s = a.budget});
    std::fputs(tuning_table(result).c_str(), stdout);
}

void measure_op(Run& run, const Workload& w, const KernelArguments& a, Device device) {
    const DType dtype = run.dtype;
    if (!supported(w, device, dtype))
        return fmt::print("{:<18} does nothing on {} in {}\n", w.op, name_of(device), name_of(dtype));
    const MeasureOptions how{device, dtype, int(a.repetitions), a.budget, !a.unchecked};
    std::vector<Measurement> of_this_op;
    add(run, measure(w, how), of_this_op);
    if (!a.all) return;
    for (const KernelChoice& choice : other_choices(w, device, dtype)) {
        const ScopedKernelChoice scope(choice);
        Measurement other = measure(w, how);
        other.chosen = false;
        add(run, std::move(other), of_this_op);
    }
    if (device.kind == DeviceKind::gpu) show_ways(w, a, device, dtype);
}

}  // namespace

int bench_kernels(int argc, const char* const* argv) {
    KernelArguments a;
    Console console;
    a.o.parse(argc, argv);
    Outputs()
        .reads("--config", a.o.config_file())
        .writes("--json", a.json, FileKind::json)
        .writes("--svg", a.svg, FileKind::svg)
        .check(a.overwrite);
    if (a.list) return list_families();
    const DType dtype = parse_measured_type(a.machine.precision);
    if (a.machine.precision == "tf32") set_math_mode(MathMode::tf32);
    if (!a.predict.empty()) return predict(a, dtype);
    const auto wanted = a.wanted(dtype);
    for (const Workload& w : wanted) passes_of(w, dtype);  // shapes that do not fit are found before anything is timed
    const Device device = open_device(a.machine, console);
    Run run{environment(device), dtype, measure_ceilings(device, dtype), {}, {}, false};
    run.emulated = device.kind == DeviceKind::gpu && gpu::platform() == gpu::Platform::emulated;
    fmt::print("{}, {}: copy {:.1f} GB/s, matrix product {:.3f} TFLOP/s\n", name_of(device), measured_name(dtype),
               run.first.bytes_per_s * 1e-9, run.first.flops_per_s * 1e-12);
    std::fputs(table_header().c_str(), stdout);
    for (const Workload& w : wanted) measure_op(run, w, a, device);
    run.last = measure_ceilings(device, dtype);
    if (run.measurements.empty()) return exit_ok;
    std::fputs(totals(run.measurements, best_of(run)).c_str(), stdout);
    if (!a.json.empty()) io::write_durably(a.json, json_lines(run));
    if (!a.svg.empty()) io::write_durably(a.svg, roofline_of(run, name_of(device)));
    std::fputs(verdict_on(run, device).c_str(), stdout);
    return exit_ok;
}

}  // namespace atrous::app
