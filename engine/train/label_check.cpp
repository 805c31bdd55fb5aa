#include "engine/train/label_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace atrous {

// "masks/2.png (photos/2) has the value 8, which is class 7, first at pixel (50, 30)". The label is that of index `at` among
// the batch's.
static std::string place_of(const HostBatch& b, int64_t at, uint8_t label, const BatchSource& source) {
    const auto image = size_t(at / (b.h * b.w));
    const std::string name = image < b.names.size() ? b.names[image] : fmt::format("image {}", image);
    const auto found = image < b.indices.size() ? source.find_label(b.indices[image], label) : std::nullopt;
    const std::string who = found ? fmt::format("{} ({}){}", found->file, name,
                                                found->x < 0 && found->mixed ? " or an image mixed into it" : "")
                                  : name;
    if (!found || found->x < 0)
        return fmt::format("{} has the label {} at pixel ({}, {}) of the image as the net saw it", who, label, at % b.w,
                           at / b.w % b.h);
    const bool same = found->value.empty() || found->value == std::to_string(label);
    return fmt::format(
        "{} has the {}, first at pixel ({}, {})", who,
        same ? fmt::format("label {}", label) : fmt::format("value {}, which is class {}", found->value, label),
        found->x, found->y);
}

void check_labels(const kernels::LabelsOutOfRange& found, const HostBatch* batches, int64_t count,
                  const BatchSource& source, const LabelCheck& check) {
    if (found.count == 0) return;
    const bool bits = check.form == LabelForm::bits;
    const int64_t values = label_values(check.form, std::max<int64_t>(check.out_channels, bits ? 1 : 2));
    const std::string rest = fmt::format(
        "({} such {}); expected {} 0 to {}{}: give the net more classes, or the masks other {}", found.count,
        check.where, bits ? fmt::format("the bits of {} classes,", check.out_channels) : "classes", values - 1,
        check.ignored >= 0 ? fmt::format(", or {} for ignored", check.ignored) : "", bits ? "bits" : "ids");
    int64_t at = found.first;
    for (const HostBatch* b = batches; at >= 0 && b != batches + count; at -= b->n * b->h * b->w, ++b)
        if (at < b->n * b->h * b->w)
            throw DataError(fmt::format("{} {}", place_of(*b, at, uint8_t(found.label), source), rest));
    throw DataError(fmt::format("the images of another rank have labels that are no class {}", rest));
}

}  // namespace atrous
