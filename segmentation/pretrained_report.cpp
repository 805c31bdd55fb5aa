#include "segmentation/pretrained_report.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/sha256.h"

#include "base/text_table.h"
#include "engine/io/known_weights.h"
#include "models/encoder.h"
#include "segmentation/averaged_record.h"

namespace atrous {

std::string text_of(const io::PretrainedReport& r) {
    std::string text = fmt::format("{} of the net's {} tensors loaded", r.loaded, r.of);
    if (!r.file_prefix.empty() || !r.net_prefix.empty())
        text += fmt::format(" (the file's '{}*' as the net's '{}*')", r.file_prefix, r.net_prefix);
    text += "\n";
    constexpr size_t limit = 30;
    std::vector<TableRow> rows;
    for (size_t i = 0; i < std::min(limit, r.rows.size()); ++i)
        rows.push_back({r.rows[i].what, r.rows[i].name, r.rows[i].detail});
    text += format_table(rows);
    if (r.rows.size() > limit) text += fmt::format("  … and {} more\n", r.rows.size() - limit);
    return text;
}

// The error, with the encoder that the weights are of where that is another than the net's.
[[noreturn]] static void rethrow_with_remedy(const FormatError& error, SegmentationNet& net,
                                             const io::TensorFile& file) {
    const std::string encoder = encoder_in(file);
    if (encoder.empty() || (net.encoder() && is_encoder(*net.encoder(), encoder, net.in_channels()))) throw error;
    throw FormatError(
        fmt::format("{}; these are weights of {}: a net with `encoder` {} takes them", error.what(), encoder, encoder));
}

static io::PretrainedReport load(SegmentationNet& net, const io::TensorFile& file, bool new_head, bool check_only) {
    try {
        return io::load_pretrained(net, file, {net.in_channels(), net.out_channels(), new_head, check_only});
    } catch (const FormatError& e) {
        rethrow_with_remedy(e, net, file);
    }
}

io::PretrainedReport load_pretrained(SegmentationNet& net, const std::string& path, bool new_head, Messages& messages) {
    const auto file = io::open_tensors(path);
    const std::string known = io::recognized(path);
    messages.text(fmt::format(
        "\n{}\n",
        known.empty() ? fmt::format("{}: {}, {} tensors", path, file->format(), file->tensors().size()) : known));
    for (const std::string& note : file->notes()) messages.text(note + "\n");
    if (const auto record = averaged_record_of(*file)) {
        messages.text(fmt::format("its weights are a training's {}\n", text_of(*record)));
        if (const std::string warning = warning_of(*record); !warning.empty()) messages.warning(path + ": " + warning);
    }
    const auto report = load(net, *file, new_head, false);
    messages.text(text_of(report));
    for (const std::string& warning : report.warnings) messages.warning(warning);
    return report;
}

void check_pretrained(SegmentationNet& net, const std::string& path, bool new_head) {
    const auto file = io::open_tensors(path);
    net.materialize({.device = {DeviceKind::meta}});
    load(net, *file, new_head, true);
}

// As torchvision's classifiers end, of which ImageNet's 1000 classes are the usual ones; its segmentation nets are known
// by their whole file.
bool wants_imagenet_normalization(const std::string& path) {
    const auto file = io::open_tensors(path);
    for (const char* name : {"fc.weight", "classifier.6.weight"})
        if (const io::TensorInfo* info = file->find(name); info && info->shape.size() == 2 && info->shape[0] == 1000)
            return true;
    return io::recognize(io::sha256_of_file(path)) != nullptr;
}

}  // namespace atrous
