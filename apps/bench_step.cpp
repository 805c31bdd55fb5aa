#include <cstdio>

#include "apps/bench.h"
#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "benchmarks/harness/step.h"
#include "engine/kernel_choice.h"
#include "engine/side_branch.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/tuning.h"

namespace atrous::app {

using namespace bench;

static void tune_step(const StepOptions& o, const Machine& machine, Messages& messages) {
    PlanOptions plan;
    plan.device = o.device;
    plan.compute = o.compute;
    plan.batch = o.batch_size;
    plan.height = o.size.height;
    plan.width = o.size.width;
    plan.training = !o.forward_only;
    plan.optimizer = o.optimizer;
    plan.aux_weight = o.net.aux_weight;
    const TuneResult result = tune_computation(*make_net(o.net), plan, machine, {}, messages);
    messages.details(tuning_line(result) + "\n");
    set_tuned_kernels(std::make_shared<const kernels::TunedKernels>(result.kernels));
}

int bench_step(int argc, const char* const* argv) {
    Options o("bench step",
              "Times training steps, or forward passes alone, on a fixed batch of random images, without a loader.");
    StepOptions options;
    NetConfig net;
    int64_t classes = 2, steps = 10;
    Machine machine{.precision = "auto"};
    std::string json;
    bool overwrite = false;
    o.group("Net");
    describe(o, net);
    describe_classes(o, classes);
    o.group("Step");
    describe_size(o, options.size);
    describe_batch_size(o, options.batch_size);
    describe(o, options.optimizer);
    describe_precision(o, machine).one_of({"auto", "fp32", "tf32", "bf16"});
    describe_device(o, machine);
    describe_tuning(o, machine);
    o.bind("steps", steps, "timed steps, after those that warm up").min(1);
    o.bind("graphs", options.graphs, "replay the step as a graph on a GPU (--no-graphs: launch each kernel)");
    o.bind("side-stream", options.side_stream,
           "weight gradients beside input gradients on a GPU (--no-side-stream: one after the other)")
        .only_with("a step on a GPU", [&options] { return has_side_stream(options); });
    o.bind("forward", options.forward_only, "the forward pass alone, in evaluation mode, in place of the step");
    describe_json(o, json).help += "; -: standard output, without the table";
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    const bool to_file = !json.empty() && json != "-";
    Outputs().reads("--config", o.config_file()).writes("--json", to_file ? json : "", FileKind::json).check(overwrite);
    SideBranch::allow(options.side_stream);
    Console console;
    check(options.optimizer);
    options.net = measured_net(o, net, classes);
    options.steps = int(steps);
    options.device = open_device(machine, console);
    options.compute = use_precision(machine.precision, options.device);
    for (const std::string& line : o.without_effect()) console.warning(line);
    if (machine.tune == "on" && options.device.kind == DeviceKind::gpu) tune_step(options, machine, console);
    const StepResult result = measure_step(options);
    const std::string shown = json == "-" ? step_json(options, result) : step_table(options, result);
    std::fputs(shown.c_str(), stdout);
    if (to_file) io::write_durably(json, step_json(options, result));
    return 0;
}

}  // namespace atrous::app
