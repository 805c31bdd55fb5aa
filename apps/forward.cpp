#include <fmt/core.h>

#include <cstdio>

#include "apps/checkpoint_path.h"
#include "apps/exit_codes.h"
#include "apps/net_options.h"
#include "apps/options.h"
#include "apps/outputs.h"
#include "apps/session.h"
#include "apps/tensor_io.h"
#include "apps/verbs.h"
#include "apps/weights.h"
#include "base/paths.h"
#include "engine/ops/dropout.h"

namespace atrous::app {
namespace {

struct ForwardArguments {
    Options o{
        "forward",
        "Runs a net on a given tensor x [N][C][H][W] and writes its logits y, to compare with another framework."};
    Setting<std::string>&checkpoint =
        o.text("checkpoint", "", "weights: a checkpoint of atrous train, or any .pth or .safetensors of the net")
            .required(),
    &input = o.text("input", "", "file with the tensor x").required(),
    &output = o.text("output", "", "safetensors file to write: y, and gradient.NAME").letter('o').required();
    Setting<bool>&gradients = o.flag("gradients",
                                     "also the gradients of x and of every parameter, of the sum of y, or of "
                                     "sum(y * gradient.y) where the input file has that tensor"),
    &training = o.flag("training", "batch norm uses the batch's statistics");
    Setting<std::string>&dtype = o.choice("dtype", {"f32", "f64", "bf16"}, "f32", "element type to compute in"),
    &device = o.text("device", "auto", "auto, cpu, cuda, cuda:N, emulated or reference");
    Setting<int64_t>& threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024);
    NetOptions net{o, "Net, where the checkpoint carries no recipe"};
    Setting<int64_t>& out_channels = o.integer("out-channels", 1, "channels of the logits").min(1).max(255);
    Setting<bool>& overwrite = overwrite_option(o);
};

std::unique_ptr<SegmentationNet> build(const ForwardArguments& a, const io::TensorFile& weights, int64_t in_channels,
                                       DType compute, Device device) {
    const NetConfig config =
        has_recipe(weights) ? recipe_of(weights).net : a.net.config(in_channels, a.out_channels.value);
    auto net = make_net(config);
    if (net->in_channels() != in_channels)
        throw UsageError(fmt::format("--input {}: x has {} channels, the net takes {}", a.input.value, in_channels,
                                     net->in_channels()));
    net->materialize({.device = device, .dtype = accumulator_of(compute), .compute = compute});
    if (has_recipe(weights)) {
        io::load_weights(weights, *net);
    } else {
        const auto report = load_pretrained(*net, a.checkpoint.value, false);
        if (report.loaded != report.of)
            throw FormatError(fmt::format(
                "{}: {} of the net's {} tensors are missing; say which net it is with --model, --encoder, "
                "--base-channels, --depth and the like (atrous forward -h); --aux-weight 0: no auxiliary head",
                a.checkpoint.value, report.of - report.loaded, report.of));
    }
    net->set_training(a.training.value);
    return net;
}

std::vector<io::TensorToWrite> run_with_gradients(SegmentationNet& net, const Tensor& x, const io::TensorFile& input,
                                                  DType compute) {
    net.zero_gradients();
    Tape tape;
    tape.watch(x);
    const Tensor y = net.forward(x);
    Tensor seed;
    if (input.find("gradient.y")) seed = read_operand(input, {"gradient.y"}, compute, x.device());
    if (seed.defined() && seed.shape() != y.shape())
        throw FormatError(fmt::format("{}: gradient.y does not have the shape of y", input.path()));
    tape.backward(y, seed);
    std::vector<io::TensorToWrite> results{operand_to_write("y", OperandKind::activation, y),
                                           operand_to_write("gradient.x", OperandKind::activation, tape.gradient(x))};
    for (const auto& [path, p] : net.parameters())
        if (p->value.leaf() && !p->value.leaf()->fresh)
            results.push_back(tensor_to_write("gradient." + path, p->layout, *p->value.leaf()->gradient));
    return results;
}

}  // namespace

int forward(int argc, const char* const* argv) {
    ForwardArguments a;
    a.o.parse(argc, argv);
    if (is_folder(a.checkpoint.value)) a.checkpoint.value = checkpoint_file(a.checkpoint.value);
    Outputs()
        .reads("--checkpoint", a.checkpoint.value)
        .reads("--input", a.input.value)
        .reads("--config", a.o.config_file())
        .writes("--output", a.output.value, FileKind::tensors)
        .check(a.overwrite.value);
    const Device device = open_device(a.device.value, int(a.threads.value));
    const DType compute = parse_dtype(a.dtype.value);
    const auto input = io::open_tensors(a.input.value);
    const Tensor x = read_operand(*input, {"x"}, compute, device);
    const auto weights = io::open_tensors(a.checkpoint.value);
    const auto net = build(a, *weights, x.dim(3), compute, device);
    const StepRandomness random(0, 0);  // of dropout, where --training has it draw
    std::vector<io::TensorToWrite> results;
    if (a.gradients.value)
        results = run_with_gradients(*net, x, *input, compute);
    else
        results.push_back(operand_to_write("y", OperandKind::activation, net->forward(x)));
    io::write_safetensors(a.output.value, results, {{tensors_mark_key, tensors_mark}});
    fmt::print("{} -> {}: y {} {}{}\n", a.input.value, a.output.value, name_of(results[0].dtype),
               io::shape_text(results[0].shape),
               results.size() > 1 ? fmt::format(" and {} gradients", results.size() - 1) : "");
    return exit_ok;
}

}  // namespace atrous::app
