#include <fmt/core.h>

#include <cstdio>

#include "apps/bench.h"
#include "apps/bench_kernel_arguments.h"
#include "apps/console.h"
#include "apps/exit_codes.h"
#include "base/durable_file.h"
#include "benchmarks/harness/environment.h"
#include "benchmarks/harness/outcome.h"
#include "benchmarks/harness/report.h"
#include "engine/context.h"
#include "engine/math_mode.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/tuning.h"

namespace atrous::app {
namespace {

using namespace bench;

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
    if (a.counters) return bench_counters(a);
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
