#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/checkpoint_path.h"
#include "apps/memory.h"
#include "apps/net_options.h"
#include "apps/options.h"
#include "apps/session.h"
#include "apps/verbs.h"
#include "base/text.h"
#include "engine/io/checkpoint.h"
#include "engine/nn/summary.h"
#include "models/check.h"

namespace atrous::app {

namespace {

struct SummaryArguments {
    Options o{"summary",
              "Shows a net layer by layer, and the memory that it takes to train it and to predict with it. Nothing is "
              "computed: the net runs on shapes alone."};
    NetOptions net{o};
    Setting<std::string>& checkpoint =
        o.text("checkpoint", "", "the net and size of this checkpoint, in place of the options above");
    Setting<int64_t>&channels =
        o.integer("channels", 3, "image channels").min(net_ranges::in_channels.low).max(net_ranges::in_channels.high),
    &classes = o.integer("classes", 2, "number of classes; 2: one logit").min(2).max(net_ranges::out_channels.high);
    Setting<int64_t>&size = (o.group("Work"), o.integer("size", 256, "width and height, in pixels").min(1).max(65536)),
    &batch_size = o.integer("batch-size", 8, "images at once").letter('b').min(1).max(max_images);
    Setting<std::string>&precision =
        o.choice("precision", {"fp32", "bf16", "fp16"}, "fp32", "of activations and convolutions"),
    &optimizer = o.choice("optimizer", {"sgd", "adam", "adamw", "rmsprop"}, "adam", "the optimizer"),
    &device = o.choice("device", {"auto", "cpu", "cuda", "emulated"}, "auto",
                       "whose memory is planned; a GPU need not be here");
    Setting<int64_t>& threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024);
    Setting<bool>& json = (o.group("Output"), o.flag("json", "JSON with exact numbers in place of the tables"));
};

struct Subject {
    NetConfig net;
    int64_t height, width;
    std::string precision;
};

Subject subject_of(const SummaryArguments& a) {
    if (!a.checkpoint.value.empty()) {
        const Recipe r = recipe_of(io::SafetensorsFile(checkpoint_file(a.checkpoint.value)));
        return {r.net, a.size.given() ? a.size.value : r.height, a.size.given() ? a.size.value : r.width,
                a.precision.given() ? a.precision.value : r.precision};
    }
    return {a.net.config(a.channels.value, a.classes.value == 2 ? 1 : a.classes.value), a.size.value, a.size.value,
            a.precision.value};
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
                             {"batch_size", a.batch_size.value},
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
    const std::string& name = a.device.value;
    const Device device =
        name == "cuda" || name == "emulated" ? Device{DeviceKind::gpu} : parse_device(name);  // it need not be here
    open_device("cpu", int(a.threads.value));
    return device;
}

}  // namespace

int summary(int argc, const char* const* argv) {
    SummaryArguments a;
    a.o.parse(argc, argv);
    const Subject subject = subject_of(a);
    auto net = make_net(subject.net);
    PlanOptions plan;
    plan.device = planned_device(a);
    const DType compute = plan.compute = compute_type(subject.precision, plan.device);
    plan.batch = a.batch_size.value;
    plan.height = subject.height;
    plan.width = subject.width;
    plan.aux_weight = a.net.aux_weight.value;
    plan.optimizer.kind = parse_optimizer(a.optimizer.value);
    const Summary s = summarize(*net, {plan.batch, plan.height, plan.width, net->in_channels()}, compute, plan.device);
    const MemoryPlan training = plan_memory(*net, plan);
    plan.training = false;
    const MemoryPlan prediction = plan_memory(*net, plan);
    if (a.json.value) {
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
