#include "engine/train/label_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace atrous {

// The pixel of that index among the labels of all batches, as the net saw it: "pixel (7, 4) of the net's image of photos/2".
static std::string seen_place(const HostBatch& b, int64_t at) {
    const int64_t image = at / (b.h * b.w);
    const std::string name = image < int64_t(b.names.size()) ? b.names[size_t(image)] : fmt::format("image {}", image);
    return fmt::format("{}: pixel ({}, {}) of the image as the net saw it", name, at % b.w, at / b.w % b.h);
}

static std::string place_of(const HostBatch& b, int64_t at, uint8_t label, const BatchSource& source) {
    const auto image = size_t(at / (b.h * b.w));
    const auto found = image < b.indices.size() ? source.find_label(b.indices[image], label) : std::nullopt;
    return found ? fmt::format("{}: pixel ({}, {})", found->file, found->x, found->y) : seen_place(b, at);
}

void check_labels(const kernels::LabelsOutOfRange& found, const HostBatch* batches, int64_t count,
                  const BatchSource& source, const LabelCheck& check) {
    if (found.count == 0) return;
    const std::string rest =
        fmt::format("({} such {}); expected 0 to {}{}: give the net more classes, or the masks other ids", found.count,
                    check.where, std::max<int64_t>(check.out_channels, 2) - 1,
                    check.ignored >= 0 ? fmt::format(", or {} for ignored", check.ignored) : "");
    int64_t at = found.first;
    for (const HostBatch* b = batches; at >= 0 && b != batches + count; at -= b->n * b->h * b->w, ++b)
        if (at < b->n * b->h * b->w)
            throw DataError(fmt::format("{} has the label {} {}", place_of(*b, at, uint8_t(found.label), source),
                                        found.label, rest));
    throw DataError(fmt::format("the images of another rank have labels that are no class {}", rest));
}

}  // namespace atrous
