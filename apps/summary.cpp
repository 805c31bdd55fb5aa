#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/text.h"
#include "engine/io/checkpoint.h"
#include "engine/nn/summary.h"
#include "models/check.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/experiment.h"
#include "segmentation/memory_advice.h"
#include "segmentation/model_card.h"

namespace atrous::app {

namespace {

struct SummaryArguments {
    NetConfig net;
    std::string checkpoint;
    int64_t channels = 3, classes = 2, size = 256, batch_size = 8;
    OptimizerOptions optimizer;
    Machine machine{.precision = "fp32"};
    bool json = false;
    Options o{
        "summary",
        "Shows a net layer by layer, and the memory that it takes to train it and to predict with it. Nothing is "
        "computed: the net runs on shapes alone. The device, auto, cpu, cuda or emulated, is that whose memory is "
        "planned; a GPU need not be here."};

    SummaryArguments() {
        o.group("Net");
        describe(o, net);
        o.bind("checkpoint", checkpoint, "checkpoint whose net and size are shown, in place of the options above");
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
    }
};

struct Subject {
    NetConfig net;
    int64_t height, width;
    std::string precision;
};

Subject subject_of(const SummaryArguments& a) {
    if (!a.checkpoint.empty()) {
        const ModelCard card = model_card_of(io::SafetensorsFile(checkpoint_file(a.checkpoint)));
        const bool sized = a.o.at("size").given();
        return {card.net, sized ? a.size : card.height, sized ? a.size : card.width,
                a.o.at("precision").given() ? a.machine.precision : card.precision};
    }
    check_applicable(a.o, a.net);
    NetConfig net = a.net;
    net.in_channels = a.channels;
    net.out_channels = a.classes == 2 ? 1 : a.classes;
    return {net, a.size, a.size, a.machine.precision};
}

std::string grouped(int64_t n) {  // 31,037,633
    const std::string digits = std::to_string(n);
    std::string text;
    for (size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

std::string scaled(int64_t n) {  // 48.2 G
    const double x = double(n);
    for (const auto& [unit, name] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
        if (x >= unit) return fmt::format("{:.4g} {}", x / unit, name);
    return std::to_string(n);
}

std::string field_text(const ReceptiveField& f) {
    if (f.whole) return "all";
    return f.height == f.width ? std::to_string(f.height) : fmt::format("{}x{}", f.height, f.width);
}

std::string layer_table(const Summary& s, int64_t batch) {
    size_t module = 6, op = 2, shape = 15;
    for (const LayerRow& r : s.rows) {
        module = std::max(module, r.module.size());
        op = std::max(op, r.op.size());
        shape = std::max(shape, r.output.text().size());
    }
    const auto line = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d,
                          const std::string& e, const std::string& f, const std::string& g, const std::string& h) {
        const std::string text = fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>12}  {:>13}  {:>11}  {:>9}  {:>6}", a, module,
                                             b, op, c, shape, d, e, f, g, h);
        return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    };
    std::string text =
        line("layer", "op", "output NxHxWxC", "parameters", "multiply-adds", "kept", "receptive", "stride") +
        line("", "", "", "", "an image", "in training", "field", "");
    for (const LayerRow& r : s.rows)
        text += line(r.module.empty() ? "-" : r.module, r.op, r.output.text(),
                     r.parameters ? grouped(r.parameters) : "", r.multiply_adds ? scaled(r.multiply_adds / batch) : "",
                     r.kept_bytes ? io::format_bytes(uint64_t(r.kept_bytes)) : "", field_text(r.receptive_field),
                     fmt::format("{:.4g}", r.output_stride));
    return text + line("total", "", "", grouped(s.parameters), scaled(s.multiply_adds / batch),
                       io::format_bytes(uint64_t(s.kept_bytes)), "", "");
}

nlohmann::json to_json(const LayerRow& r) {
    nlohmann::json shape = nlohmann::json::array();
    for (int i = 0; i < r.output.rank(); ++i) shape.push_back(r.output[i]);
    nlohmann::json field = "all";
    if (!r.receptive_field.whole) field = {r.receptive_field.height, r.receptive_field.width};
    return {{"module", r.module},
            {"op", r.op},
            {"output_nhwc", shape},
            {"dtype", name_of(r.dtype)},
            {"parameters", r.parameters},
            {"multiply_adds", r.multiply_adds},
            {"kept_bytes", r.kept_bytes},
            {"receptive_field", field},
            {"output_stride", r.output_stride}};
}

nlohmann::json to_json(const MemoryPlan& p) {
    return {{"weights_bytes", p.at_peak(BlockUse::weights)},
            {"half_weights_bytes", p.at_peak(BlockUse::half_weights)},
            {"gradients_bytes", p.at_peak(BlockUse::gradients)},
            {"optimizer_bytes", p.at_peak(BlockUse::optimizer)},
            {"batch_bytes", p.at_peak(BlockUse::batch)},
            {"activations_bytes", p.at_peak(BlockUse::activation)},
            {"activation_gradients_bytes", p.at_peak(BlockUse::activation_gradient)},
            {"workspace_bytes", p.at_peak(BlockUse::workspace)},
            {"peak_bytes", p.peak_bytes},
            {"reserved_bytes", p.reserved_bytes}};
}

void print_json(const SummaryArguments& a, const Subject& subject, const Summary& s, const MemoryPlan& training,
                const MemoryPlan& prediction) {
    nlohmann::json rows = nlohmann::json::array();
    for (const LayerRow& r : s.rows) rows.push_back(to_json(r));
    const nlohmann::json all{{"model", subject.net.model},
                             {"batch_size", a.batch_size},
                             {"height", subject.height},
                             {"width", subject.width},
                             {"precision", subject.precision},
                             {"parameters", s.parameters},
                             {"trainable_parameters", s.trainable_parameters},
                             {"multiply_adds", s.multiply_adds},
                             {"kept_bytes", s.kept_bytes},
                             {"layers", rows},
                             {"training", to_json(training)},
                             {"prediction", to_json(prediction)}};
    fmt::print("{}\n", all.dump(1));
}

// What the size of the pictures means to this net.
std::string size_notes(const SegmentationNet& net, const Subject& subject) {
    std::string text;
    const int64_t multiple = net.input_multiple(), h = subject.height, w = subject.width;
    const auto up = [&](int64_t size) { return ceil_div(size, multiple) * multiple; };
    if (multiple > 1)
        text +=
            fmt::format("the net takes multiples of {} pixels: {}\n", multiple,
                        up(h) == h && up(w) == w
                            ? "these are"
                            : fmt::format("{}x{} is padded to {}x{}, and the logits are cropped", w, h, up(w), up(h)));
    for (const DeadTaps& d : mostly_dead_taps(subject.net, h, w)) text += "warning: " + text_of(d) + "\n";
    return text.empty() ? text : text + "\n";
}

Device planned_device(const SummaryArguments& a) {
    const std::string& name = a.machine.device;
    const Device device =
        name == "cuda" || name == "emulated" ? Device{DeviceKind::gpu} : parse_device(name);  // it need not be here
    Console console;
    open_device({.device = "cpu", .threads = a.machine.threads}, console);
    return device;
}

}  // namespace

int summary(int argc, const char* const* argv) {
    SummaryArguments a;
    a.o.parse(argc, argv);
    check(a.optimizer);
    const Subject subject = subject_of(a);
    auto net = make_net(subject.net);
    PlanOptions plan;
    plan.device = planned_device(a);
    const DType compute = plan.compute = compute_type(subject.precision, plan.device);
    plan.batch = a.batch_size;
    plan.height = subject.height;
    plan.width = subject.width;
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
               subject.precision, size_notes(*net, subject), layer_table(s, plan.batch));
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
