#include <fmt/core.h>

#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/tensor_io.h"
#include "apps/verbs.h"
#include "base/paths.h"
#include "engine/ops/dropout.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/load_net.h"
#include "segmentation/machine.h"
#include "segmentation/model_card.h"
#include "segmentation/outputs.h"

namespace atrous::app {
namespace {

struct ForwardArguments {
    std::string checkpoint, input, output, dtype = "f32";
    bool gradients = false, training = false, auxiliary = false, overwrite = false;
    Machine machine;
    NetConfig net;
    Options o{
        "forward",
        "Runs a net on a given tensor x [N][C][H][W] and writes its logits y, to compare with another framework."};

    ForwardArguments() {
        describe_checkpoint(o, checkpoint).required().help += ", or any .pth or .safetensors of the net";
        describe_tensor_files(o, input, output);
        o.at("input").is_required = o.at("output").is_required = true;
        describe_gradients(o, gradients).help += "; of x and of every parameter";
        o.bind("training", training, "batch norm uses the batch's statistics");
        o.bind("auxiliary", auxiliary, "logits of the auxiliary head too, as auxiliary");
        describe_dtype(o, dtype);
        describe_device(o, machine);
        describe_overwrite(o, overwrite);
        o.group("Net, where the checkpoint does not describe it");
        describe(o, net);
        o.bind("out-channels", net.out_channels, "channels of the logits")
            .min(net_ranges::out_channels.low)
            .max(net_ranges::out_channels.high);
    }
};

NetConfig described(const ForwardArguments& a, int64_t in_channels) {
    check_applicable(a.o, a.net);
    NetConfig net = a.net;
    net.in_channels = in_channels;
    return net;
}

std::unique_ptr<SegmentationNet> build(const ForwardArguments& a, const io::TensorFile& weights, int64_t in_channels,
                                       DType compute, Device device, Messages& messages) {
    const NetConfig config = has_model_card(weights) ? model_card_of(weights).net : described(a, in_channels);
    auto net = make_net(config);
    if (net->in_channels() != in_channels)
        throw UsageError(
            fmt::format("--input {}: x has {} channels, the net takes {}", a.input, in_channels, net->in_channels()));
    net->materialize({.device = device, .dtype = accumulator_of(compute), .compute = compute});
    if (has_model_card(weights)) {
        io::load_weights(weights, *net);
    } else {
        load_all_weights(*net, a.checkpoint, messages);
    }
    net->set_training(a.training);
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

std::vector<io::TensorToWrite> run_alone(SegmentationNet& net, const Tensor& x, const ForwardArguments& a) {
    const NetOutputs y = a.auxiliary ? net.forward_training(x) : NetOutputs{net.forward(x), {}};
    std::vector<io::TensorToWrite> results{operand_to_write("y", OperandKind::activation, y.out)};
    if (a.auxiliary && !y.aux.defined()) throw UsageError("--auxiliary: this net has no auxiliary head; leave it out");
    if (a.auxiliary) results.push_back(operand_to_write("auxiliary", OperandKind::activation, y.aux));
    return results;
}

}  // namespace

int forward(int argc, const char* const* argv) {
    ForwardArguments a;
    Console console;
    a.o.parse(argc, argv);
    if (a.gradients && a.auxiliary)
        throw UsageError("--auxiliary: gradients are those of y alone; leave one of them out");
    if (is_folder(a.checkpoint)) a.checkpoint = checkpoint_file(a.checkpoint);
    Outputs()
        .reads("--checkpoint", a.checkpoint)
        .reads("--input", a.input)
        .reads("--config", a.o.config_file())
        .writes("--output", a.output, FileKind::tensors)
        .check(a.overwrite);
    const Device device = open_device(a.machine, console);
    const DType compute = parse_dtype(a.dtype);
    const auto input = io::open_tensors(a.input);
    const Tensor x = read_operand(*input, {"x"}, compute, device);
    const auto weights = io::open_tensors(a.checkpoint);
    const auto net = build(a, *weights, x.dim(3), compute, device, console);
    const StepRandomness random(0, 0);  // of dropout, where --training has it draw
    const std::vector<io::TensorToWrite> results =
        a.gradients ? run_with_gradients(*net, x, *input, compute) : run_alone(*net, x, a);
    io::write_safetensors(a.output, results, {{tensors_mark_key, tensors_mark}});
    fmt::print("{} -> {}: y {} {}{}\n", a.input, a.output, name_of(results[0].dtype), io::shape_text(results[0].shape),
               a.gradients   ? fmt::format(" and {} gradients", results.size() - 1)
               : a.auxiliary ? " and auxiliary"
                             : "");
    return exit_ok;
}

}  // namespace atrous::app
