#include "segmentation/pretrained_report.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text_table.h"
#include "engine/io/known_weights.h"

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

io::PretrainedReport load_pretrained(SegmentationNet& net, const std::string& path, bool new_head, Messages& messages) {
    const auto file = io::open_tensors(path);
    const std::string known = io::recognised(path);
    messages.text(fmt::format(
        "\n{}\n",
        known.empty() ? fmt::format("{}: {}, {} tensors", path, file->format(), file->tensors().size()) : known));
    for (const std::string& note : file->notes()) messages.text(note + "\n");
    const auto report = io::load_pretrained(net, *file, {net.in_channels(), net.out_channels(), new_head});
    messages.text(text_of(report));
    for (const std::string& warning : report.warnings) messages.warning(warning);
    return report;
}

void check_pretrained(SegmentationNet& net, const std::string& path, bool new_head) {
    const auto file = io::open_tensors(path);
    net.materialize({.device = {DeviceKind::meta}});
    io::load_pretrained(net, *file, {net.in_channels(), net.out_channels(), new_head, true});
}

}  // namespace atrous
