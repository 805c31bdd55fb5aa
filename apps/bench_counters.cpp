#include <fmt/core.h>

#include <cstdio>

#include "apps/bench.h"
#include "apps/bench_kernel_arguments.h"
#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/traced_program.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "benchmarks/harness/counters.h"
#include "benchmarks/harness/measure.h"
#include "engine/context.h"
#include "engine/math_mode.h"
#include "segmentation/experiment.h"

namespace atrous::app {

using namespace bench;

static void check(const KernelArguments& a) {
    if (a.machine.device.rfind("emulated", 0) != 0)
        throw UsageError(
            fmt::format("`counters` with `device` {}: kernels are recorded in the emulator; expected "
                        "`device` emulated",
                        a.machine.device));
    for (const char* other : {"all", "list", "predict", "svg", "model", "repetitions", "budget", "unchecked"})
        if (a.o.at(other).given())
            throw UsageError(fmt::format("`{}` belongs to times, not to `counters`; leave one of them out", other));
    if (a.op.empty() && a.o.at("precision").given())
        throw UsageError("`precision` belongs to one `op`; of every op, `counters` shows all that matter");
}

int bench_counters(const KernelArguments& a) {
    check(a);
    become_traced_program();
    Console console;
    const DType dtype = parse_measured_type(a.machine.precision);
    if (a.machine.precision == "tf32") set_math_mode(MathMode::tf32);
    std::vector<Workload> wanted;
    if (!a.op.empty()) wanted = a.wanted(dtype);
    for (const Workload& w : wanted) passes_of(w, dtype);  // shapes that do not fit are found before anything runs
    const Device device = open_device(a.machine, console);
    std::string json;
    std::fputs(counters_header().c_str(), stdout);
    std::string shown;
    const auto show = [&](const std::vector<CountedKernel>& kernels) {
        for (const CountedKernel& k : kernels) {
            const std::string title = counters_title(k);
            if (title != shown) fmt::print("{}\n", shown = title);
            std::fputs(counters_row(k).c_str(), stdout);
            json += counters_json_line(k);
        }
        std::fflush(stdout);
    };
    if (wanted.empty()) count_usual(device, show);
    for (const Workload& w : wanted) count_op(w, dtype, device, show);
    if (!a.json.empty()) io::write_durably(a.json, json);
    return exit_ok;
}

}  // namespace atrous::app
