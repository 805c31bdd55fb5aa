#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "engine/tuning_file.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/tuning.h"

namespace atrous::app {

namespace {

struct TuneArguments {
    NetConfig net;
    int64_t channels = 3, classes = 2, batch_size = 8;
    ImageSize size = 256;
    OptimizerOptions optimizer;
    Machine machine{.precision = "auto", .tune = "on"};
    std::string json;
    bool overwrite = false;
    Options o{
        "tune",
        "Times all implementations of each convolution of a net on a GPU, ahead of a training with --tune on, and "
        "keeps the fastest by shape. Nothing is trained."};

    TuneArguments() {
        o.group("Net");
        describe(o, net);
        describe_channels(o, channels);
        describe_classes(o, classes);
        o.group("Work");
        describe_size(o, size);
        describe_batch_size(o, batch_size);
        describe(o, optimizer);
        o.group("Machine");
        describe_device(o, machine);
        describe_precision(o, machine);
        o.bind("tune-budget", machine.tune_budget_s, "most time for timing").min(0).max(86400).unit("seconds");
        o.bind("tune-file", machine.tune_file,
               "file that keeps the timings; empty: atrous/kernels.json in $XDG_CACHE_HOME or ~/.cache");
        o.group("Output");
        describe_json(o, json).help = "file for every time (JSON lines)";
        describe_overwrite(o, overwrite);
    }
};

PlanOptions plan_of(const TuneArguments& a, SegmentationNet& net, Device device) {
    const ImageSize size = raised_to_multiple(a.size, net.input_multiple());
    PlanOptions plan;
    plan.device = device;
    plan.compute = use_precision(a.machine.precision, device);
    plan.batch = plan.validation_batch = a.batch_size;
    plan.height = size.height;
    plan.width = size.width;
    plan.aux_weight = a.net.aux_weight;
    plan.optimizer = a.optimizer;
    return plan;
}

std::string json_lines(const TuneResult& r) {
    std::string lines;
    for (const ProblemTimes& times : r.times)
        for (const WayTime& t : times.ways) {
            nlohmann::ordered_json j{{"kind", "way"}, {"engine", "atrous"}, {"problem", times.problem}};
            j["by"] = t.way.implementation, j["way"] = t.way.way, j["chosen"] = is_chosen(r, times, t.way);
            t.failure.empty() ? j["ms"] = t.ms : j["failure"] = t.failure;
            lines += j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
        }
    return lines;
}

}  // namespace

int tune(int argc, const char* const* argv) {
    TuneArguments a;
    a.o.parse(argc, argv);
    check(a.optimizer);
    check_applicable(a.o, a.net);
    Outputs().reads("--config", a.o.config_file()).writes("--json", a.json, FileKind::json).check(a.overwrite);
    Console console;
    const Device device = open_device(a.machine, console);
    if (device.kind != DeviceKind::gpu)
        throw UsageError("`device` " + name_of(device) + ": kernels are tuned on GPUs alone; say `device` cuda");
    NetConfig config = a.net;
    config.in_channels = a.channels;
    config.out_channels = logits_of(a.classes);
    const auto net = make_net(config);
    const PlanOptions plan = plan_of(a, *net, device);
    const TuneResult result = tune_computation(*net, plan, a.machine, {}, console);
    fmt::print("{}{}\n", tuning_table(result), tuning_line(result));
    if (const std::string file = tuning_file(a.machine); !file.empty()) fmt::print("kept in {}\n", file);
    if (!a.json.empty()) io::write_durably(a.json, json_lines(result));
    std::fflush(stdout);
    return exit_ok;
}

}  // namespace atrous::app
