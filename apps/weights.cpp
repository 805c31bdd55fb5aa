#include "apps/weights.h"

#include <fmt/core.h>

#include <algorithm>

#include "apps/ui/table.h"
#include "engine/io/known_weights.h"

namespace atrous::app {

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
    for (const std::string& warning : r.warnings) text += "warning: " + warning + "\n";
    return text;
}

io::PretrainedReport load_pretrained(SegmentationNet& net, const std::string& path, bool new_head) {
    const auto file = io::open_tensors(path);
    const std::string known = io::recognised(path);
    fmt::print("\n{}\n",
               known.empty() ? fmt::format("{}: {}, {} tensors", path, file->format(), file->tensors().size()) : known);
    for (const std::string& note : file->notes()) fmt::print("{}\n", note);
    const auto report = io::load_pretrained(net, *file, {net.in_channels(), net.out_channels(), new_head});
    fmt::print("{}", text_of(report));
    return report;
}

void check_pretrained(SegmentationNet& net, const std::string& path, bool new_head) {
    const auto file = io::open_tensors(path);
    net.materialize({.device = {DeviceKind::meta}});
    io::load_pretrained(net, *file, {net.in_channels(), net.out_channels(), new_head, true});
}

}  // namespace atrous::app
