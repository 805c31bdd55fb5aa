#include <fmt/ranges.h>

#include <filesystem>

#include "apps/console.h"
#include "apps/described_net.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/text.h"
#include "segmentation/onnx_export.h"
#include "segmentation/outputs.h"
#include "segmentation/thresholds.h"

namespace atrous::app {
namespace {

struct ExportArguments {
    std::string checkpoint, output;
    Thresholds threshold;
    bool overwrite = false;
    OnnxOptions onnx;
    DescribedNet described;
    Options o{"export", "Writes the net of a checkpoint as an ONNX file, for ONNX Runtime and what else reads them."};

    ExportArguments() {
        describe_checkpoint(o, checkpoint).required().help += DescribedNet::beside_checkpoints;
        o.bind("output", output, "file to write: *.onnx").letter('o').required();
        o.bind("include-normalization", onnx.normalization,
               "images as they are stored, 0..255, as the input (u8; f32 where the checkpoint has a value range of its "
               "own), in place of normalized ones");
        o.bind("argmax", onnx.class_ids,
               "class ids as the output (u8), in place of logits; of a net of one channel those of the threshold");
        describe_thresholds(o, threshold);
        o.bind("auxiliary", onnx.auxiliary, "the auxiliary head's logits as a second output");
        o.bind("half", onnx.half, "weights and arithmetic in fp16, between an input and an output in fp32");
        o.bind("fold-batch-norm", onnx.fold_batch_norm,
               "batch norm as part of the convolutions' weights, which are then others than the checkpoint's");
        bind_size(o, "fixed-size", onnx.size, "size of all images, which the graph is then for; none: any size")
            .min(card_ranges::size.low)
            .max(card_ranges::size.high)
            .or_none();
        o.bind("opset", onnx.opset, "version of ONNX's operators")
            .min(io::least_onnx_opset)
            .max(io::highest_onnx_opset);
        describe_overwrite(o, overwrite);
        described.describe(o);
    }
};

void check(const ExportArguments& a) {
    if (std::filesystem::path(a.output).extension() != ".onnx")
        throw UsageError("--output " + a.output + ": expected a name that ends in .onnx");
    Outputs()
        .reads("--checkpoint", weights_file(a.checkpoint))
        .reads("--threshold", a.threshold.file)
        .reads("--config", a.o.config_file())
        .writes("--output", a.output, FileKind::weights)
        .check(a.overwrite);
}

void check_threshold(const ExportArguments& a, const ModelCard& card) {
    if (!a.o.at("threshold").given()) return;
    if (card.label_form() == LabelForm::bits)
        throw UsageError(
            "`threshold`: the classes of this net overlap, and the file gives a logit for each of them and takes no "
            "thresholds; leave it out, and compare the sigmoid of each logit with its threshold where the file runs");
    if (!a.onnx.class_ids) throw UsageError("--threshold means nothing without --argmax");
}

std::string text_of(const OnnxPort& port) {
    std::string text = port.name + " " + (port.type == OnnxType::u8 ? "u8" : "f32");
    for (size_t i = 0; i < port.shape.size(); ++i)
        text += (i ? "x" : " ") + std::visit([](const auto& side) { return fmt::format("{}", side); }, port.shape[i]);
    return text;
}

}  // namespace

int export_net(int argc, const char* const* argv) {
    ExportArguments a;
    Console console;
    a.o.parse(argc, argv);
    check(a);
    const LoadedNet loaded = a.described.load(a.o, a.checkpoint, false, Device{DeviceKind::cpu}, "fp32", console);
    check_threshold(a, loaded.card);
    a.onnx.logit_threshold = logit_thresholds(a.o, a.threshold, loaded.card)[0];
    const OnnxExport made = onnx_of(loaded, a.onnx);
    if (!made.fixed_because.empty())
        console.text(
            fmt::format("for images of {}x{} alone: {}\n", loaded.card.width, loaded.card.height, made.fixed_because));
    io::write_onnx(a.output, made.model);
    std::vector<std::string> outputs;
    for (const OnnxPort& port : made.model.outputs) outputs.push_back(text_of(port));
    const std::string folded = made.folded ? fmt::format(", {} batch norms folded", made.folded) : "";
    console.text(fmt::format("{} -> {}: {}, {} nodes of opset {}{}, {}\n  {} -> {}\n", a.checkpoint, a.output,
                             loaded.card.net.model, made.model.nodes.size(), a.onnx.opset, folded,
                             io::format_bytes(std::filesystem::file_size(a.output)), text_of(made.model.inputs[0]),
                             fmt::join(outputs, ", ")));
    return exit_ok;
}

}  // namespace atrous::app
