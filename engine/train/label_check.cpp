#include "engine/train/label_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace atrous {

static bool is_wrong(uint8_t label, int64_t classes, int ignored) {
    return int64_t(label) >= classes && int(label) != ignored;
}

// A block of fixed length, so that the compiler takes many labels at once.
static bool any_wrong(const uint8_t* labels, int64_t count, int64_t classes, int ignored) {
    constexpr int64_t block = 64;
    const auto first = uint8_t(std::min<int64_t>(classes, 255)), passed = uint8_t(ignored);
    const bool passes = ignored >= 0;
    int64_t i = 0;
    for (; i + block <= count; i += block) {
        uint8_t wrong = 0;
        for (int64_t j = 0; j < block; ++j) wrong |= labels[i + j] >= first && !(passes && labels[i + j] == passed);
        if (wrong) return true;
    }
    for (; i < count; ++i)
        if (is_wrong(labels[i], classes, ignored)) return true;
    return false;
}

struct Place {
    int64_t image, x, y;
};

static Place place_of(const HostBatch& b, int64_t pixel) {
    if (b.form != ImageForm::samples) return {pixel / (b.h * b.w), pixel % b.w, pixel % (b.h * b.w) / b.w};
    const auto after =
        std::find_if(b.samples.begin(), b.samples.end(), [&](const auto& s) { return s.labels > pixel; });
    const kernels::AugmentedSample& s = after[-1];
    return {after - b.samples.begin() - 1, (pixel - s.labels) % s.w, (pixel - s.labels) / s.w};
}

void check_labels(const HostBatch& b, int64_t out_channels, int ignored) {
    const int64_t classes = std::max<int64_t>(out_channels, 2), count = int64_t(b.labels.size());
    if (classes > 255 || !any_wrong(b.labels.data(), count, classes, ignored)) return;
    const auto at = std::find_if(b.labels.begin(), b.labels.end(),
                                 [&](uint8_t label) { return is_wrong(label, classes, ignored); });
    if (at == b.labels.end()) return;
    const Place found = place_of(b, at - b.labels.begin());
    throw DataError(fmt::format(
        "{}: pixel ({}, {}) has the label {}; expected 0 to {}{}: give the net more classes, or the masks other ids",
        found.image < int64_t(b.names.size()) ? b.names[size_t(found.image)] : fmt::format("image {}", found.image),
        found.x, found.y, int(*at), classes - 1, ignored >= 0 ? fmt::format(", or {} for ignored", ignored) : ""));
}

}  // namespace atrous
