#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/text.h"
#include "engine/io/checkpoint.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/experiment.h"
#include "segmentation/inspection/page.h"
#include "segmentation/memory_advice.h"
#include "segmentation/model_card.h"
#include "segmentation/outputs.h"
#include "segmentation/summary_text.h"

namespace atrous::app {

namespace {

struct SummaryArguments {
    NetConfig net;
    std::string checkpoint;
    int64_t channels = 3, classes = 2, batch_size = 8;
    ImageSize size = 256;
    OptimizerOptions optimizer;
    Machine machine{.precision = "auto"};
    bool json = false, overwrite = false;
    std::string html;
    Options o{
        "summary",
        "Shows a net layer by layer, and the memory that it takes to train it and to predict with it. Nothing is "
        "computed: the net runs on shapes alone. The device, auto, cpu, cuda or emulated, is that whose memory is "
        "planned; a GPU need not be here."};

    SummaryArguments() {
        o.group("Net");
        describe(o, net);
        describe_checkpoint(o, checkpoint).help += ", whose net and size are shown in place of the options above";
        describe_channels(o, channels);
        describe_classes(o, classes);
        o.group("Work");
        describe_size(o, size).min(1).max(65536);
        describe_batch_size(o, batch_size);
        describe_precision(o, machine);
        describe(o, optimizer);
        describe_device(o, machine);
        o.group("Output");
        o.bind("json", json, "JSON with exact numbers in place of the tables");
        o.bind("html", html, "file (HTML) that shows the graph of the net, beside the tables");
        describe_overwrite(o, overwrite);
    }
};

struct Subject {
    NetConfig net;
    ImageSize size;
    std::string precision, name;
};

Subject subject_of(const SummaryArguments& a) {
    if (!a.checkpoint.empty()) {
        const ModelCard card = model_card_of(io::SafetensorsFile(checkpoint_file(a.checkpoint)));
        const bool sized = a.o.at("size").given();
        return {card.net, sized ? a.size : ImageSize(card.height, card.width),
                a.o.at("precision").given() ? a.machine.precision : card.precision, a.checkpoint};
    }
    check_applicable(a.o, a.net);
    NetConfig net = a.net;
    net.in_channels = a.channels;
    net.out_channels = logits_of(a.classes);
    return {net, a.size, a.machine.precision, ""};
}

void write_graph(const SummaryArguments& a, const Subject& subject, DType compute) {
    ModelCard card;
    card.net = subject.net;
    card.height = subject.size.height, card.width = subject.size.width;
    inspection::write_page(a.html, subject.net.model,
                           inspection::Json::array({inspection::graph_study(card, subject.name, compute)}));
}

void print_json(const SummaryArguments& a, const Subject& subject, const Summary& s, const MemoryPlan& training,
                const MemoryPlan& prediction) {
    nlohmann::json all{{"model", subject.net.model},       {"batch_size", a.batch_size},
                       {"height", subject.size.height},    {"width", subject.size.width},
                       {"precision", subject.precision},   {"training", json_of(training)},
                       {"prediction", json_of(prediction)}};
    all.update(json_of(s));
    fmt::print("{}\n", all.dump(1));
}

Device planned_device(const SummaryArguments& a) {
    const std::string& name = a.machine.device;
    const Device device = name.starts_with("cuda") || name.starts_with("emulated")
                              ? Device{DeviceKind::gpu}
                              : parse_device(name);  // it need not be here
    Console console;
    open_device({.device = "cpu", .threads = a.machine.threads, .kernels = a.machine.kernels}, console);
    return device;
}

}  // namespace

int summary(int argc, const char* const* argv) {
    SummaryArguments a;
    a.o.parse(argc, argv);
    check(a.optimizer);
    if (!a.checkpoint.empty()) a.checkpoint = checkpoint_file(a.checkpoint);
    Outputs()
        .reads("--checkpoint", a.checkpoint)
        .reads("--config", a.o.config_file())
        .writes("--html", a.html, FileKind::page)
        .check(a.overwrite);
    const Subject subject = subject_of(a);
    auto net = make_net(subject.net);
    PlanOptions plan;
    plan.device = planned_device(a);
    const DType compute = plan.compute = use_precision(subject.precision, plan.device);
    if (!a.html.empty()) write_graph(a, subject, compute);
    plan.batch = a.batch_size;
    plan.height = subject.size.height;
    plan.width = subject.size.width;
    plan.aux_weight = a.net.aux_weight;
    plan.optimizer = a.optimizer;
    const Summary s = summarize(*net, {plan.batch, plan.height, plan.width, net->in_channels()}, compute, plan.device);
    const MemoryPlan training = plan_memory(*net, plan);
    plan.training = false;
    const MemoryPlan prediction = plan_memory(*net, plan);
    if (a.json) {
        print_json(a, subject, s, training, prediction);
        return 0;
    }
    fmt::print("{}, {} images of {}x{}, {}\n\n{}{}", subject.net.model, plan.batch, plan.width, plan.height,
               subject.precision, with_flags(size_notes(*net, subject.net, subject.size)), layer_table(s, plan.batch));
    if (s.unused_parameters) fmt::print("{} parameters belong to no layer above\n", grouped(s.unused_parameters));
    if (s.trainable_parameters != s.parameters)
        fmt::print("{} parameters are trained\n", grouped(s.trainable_parameters));
    fmt::print(
        "multiply-adds: of convolutions alone, {} FLOPs an image at two each; kept: of the batch, for the backward "
        "pass, "
        "without the images\n\nmemory on {}\n{}\nthe largest blocks at the peak of training\n{}",
        scaled(2 * s.multiply_adds / plan.batch), plan.device.kind == DeviceKind::gpu ? "the GPU" : "the cpu",
        plan_table({"training", "prediction"}, {training, prediction}), largest_blocks(training, 8));
    std::fflush(stdout);
    return 0;
}

}  // namespace atrous::app
