#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/inspect.h"
#include "apps/op_arguments.h"
#include "apps/traced_program.h"
#include "base/error.h"
#include "base/text.h"
#include "benchmarks/cases/run.h"
#include "benchmarks/harness/kernel_trace.h"
#include "benchmarks/harness/measure.h"
#include "engine/context.h"
#include "engine/math_mode.h"
#include "segmentation/experiment.h"
#include "segmentation/inspection/kernel_page.h"
#include "segmentation/outputs.h"
#include "segmentation/precision.h"

namespace atrous::app {

using namespace bench;

namespace {

constexpr double most_flops = 2e8, most_elements = 1 << 20;
constexpr int64_t most_blocks = 16, most_steps = 60000;

struct KernelPageArguments : OpArguments {
    std::string pass = "forward", output;
    int64_t kernel = 3, blocks = 4;
    bool align_corners = false, overwrite = false;
    Machine machine{.device = "emulated", .precision = "fp32"};
    Options o{"inspect kernel",
              "Writes a page that plays how the kernels of an op run, step by step: what each thread reads and writes, "
              "shared memory, barriers, asynchronous copies, matrix fragments, and what a profiler would count. The "
              "kernels run once, in the emulator."};

    KernelPageArguments() {
        o.bind("op", op, fmt::format("op: {}", fmt::join(cases::measured_ops(), ", "))).positional().required();
        describe_op(o).required();
        o.bind("kernel", kernel, "height and width of a convolution's filter, or of a pooling's window").min(1).max(31);
        o.bind("align-corners", align_corners, "bilinear upsampling with the corners on each other");
        o.bind("pass", pass, "forward or backward").one_of({"forward", "backward"});
        describe_precision(o, machine).one_of(precision_words()).help =
            "element type and arithmetic: tf32 has float tensors, whose products round their factors on tensor cores";
        describe_kernel_choice(o, machine);
        o.bind("blocks", blocks, "blocks of each launch that the page can play; counters are of all")
            .min(1)
            .max(most_blocks);
        o.bind("output", output, "file to write (HTML)").letter('o').required();
        describe_overwrite(o, overwrite);
    }

    void parse(int argc, const char* const* argv) {
        o.parse(argc, argv);
        Outputs().reads("--config", o.config_file()).writes("--output", output, FileKind::page).check(overwrite);
    }

    Workload wanted(DType dtype) const {
        Workload w = workload(o, kernel, align_corners);
        w.request.numbers["relu"] = relu;  // batch norm alone, where nobody says otherwise
        const cases::Case c = w.make();    // refuses an op that is unknown
        double elements = 0;
        for (const cases::Input& input : c.inputs) elements += double(input.shape.count());
        if (c.flops > most_flops || elements > most_elements)
            throw UsageError(fmt::format(
                "`shape` {}: {:.3g} operations on {:.3g} elements; a page takes {:.0e} on {:.0e} at most. Expected a "
                "smaller one, such as 1x16x16x16: a block does the same there",
                w.text(), c.flops, elements, most_flops, most_elements));
        if (pass == "backward" && !has_backward(w))
            throw UsageError(fmt::format("`pass` backward: {} has no gradient; expected `pass` forward", op));
        cases::output_on_meta(c, dtype);  // shapes that do not fit are found before anything runs
        return w;
    }
};

std::string shell_word(const std::string& word) {
    constexpr const char* plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=,:-";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string quoted;
    for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    return "'" + quoted + "'";
}

// As one would type it again.
std::string command_line(int argc, const char* const* argv) {
    std::string line;
    if (const char* capability = std::getenv("ATROUS_EMULATED_CAPABILITY"))
        line = fmt::format("ATROUS_EMULATED_CAPABILITY={} ", shell_word(capability));
    line += "atrous inspect";
    for (int i = 0; i < argc; ++i) line += " " + shell_word(io::as_utf8(argv[i]));
    return line;
}

void say_launches(const gpu::Trace& trace) {
    for (const gpu::TraceLaunch& l : trace.launches) {
        const uint64_t all = uint64_t(l.grid[0]) * l.grid[1] * l.grid[2];
        std::string places;
        for (const gpu::TraceBlock& b : l.blocks)
            places += fmt::format("{}({}, {}, {})", places.empty() ? "" : ", ", b.x, b.y, b.z);
        fmt::print("{}: {} block{} of {} threads", l.kernel, all, all == 1 ? "" : "s",
                   l.block[0] * l.block[1] * l.block[2]);
        fmt::print("{}", l.blocks.size() < all ? "; on the page: " + places : "");
        fmt::print("{}\n", l.rows_left_out ? fmt::format("; {} steps at the end are left out", l.rows_left_out) : "");
    }
}

}  // namespace

int inspect_kernel(int argc, const char* const* argv) {
    KernelPageArguments a;
    a.parse(argc, argv);
    const DType dtype = parse_measured_type(a.machine.precision);
    const Workload what = a.wanted(dtype);
    become_traced_program();
    Console console;
    if (a.machine.precision == "tf32") set_math_mode(MathMode::tf32);
    const Device device = open_device(a.machine, console);
    if (!supported(what, device, dtype))
        throw UsageError(fmt::format("{} does nothing on {} in {}", a.op, name_of(device), name_of(dtype)));
    gpu::TraceOptions options;
    options.blocks = unsigned(a.blocks);
    options.most_rows = size_t(most_steps);
    options.most_fragments = 256;
    const KernelTrace trace = trace_pass(what, dtype, device, a.pass == "backward", options, 1 << 16);
    auto json = nlohmann::ordered_json::parse(trace_json(trace));
    json["command"] = command_line(argc, argv);
    inspection::write_kernel_page(a.output, fmt::format("{}, {} – how its kernels run", a.op, a.pass), json);
    say_launches(trace.trace);
    fmt::print("wrote {}\n", a.output);
    return exit_ok;
}

}  // namespace atrous::app
