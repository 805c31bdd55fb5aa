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

// Some of a batch's labels: `count` of them in lines of w, from `first`.
struct LabelRange {
    int64_t image, first, count, w;
};

// Behind the labels of samples is room that nobody reads.
static LabelRange labels_of(const HostBatch& b, int64_t image) {
    if (b.form != ImageForm::samples) return {image, image * b.h * b.w, b.h * b.w, b.w};
    const kernels::AugmentedSample& s = b.samples[size_t(image)];
    return {image, s.labels, int64_t(s.h) * s.w, s.w};
}

static void check_range(const HostBatch& b, const LabelRange& r, int64_t classes, int ignored) {
    require(r.first + r.count <= int64_t(b.labels.size()), "training step: the batch's labels do not fill its shape");
    const uint8_t* const labels = b.labels.data() + r.first;
    if (!any_wrong(labels, r.count, classes, ignored)) return;
    const int64_t at =
        std::find_if(labels, labels + r.count, [&](uint8_t l) { return is_wrong(l, classes, ignored); }) - labels;
    throw DataError(fmt::format(
        "{}: pixel ({}, {}) has the label {}; expected 0 to {}{}: give the net more classes, or the masks other ids",
        r.image < int64_t(b.names.size()) ? b.names[size_t(r.image)] : fmt::format("image {}", r.image), at % r.w,
        at / r.w, int(labels[at]), classes - 1, ignored >= 0 ? fmt::format(", or {} for ignored", ignored) : ""));
}

void check_labels(const HostBatch& b, int64_t out_channels, int ignored) {
    const int64_t classes = std::max<int64_t>(out_channels, 2);
    if (classes > 255 || b.labels.empty()) return;
    for (int64_t image = 0; image < b.n; ++image) check_range(b, labels_of(b, image), classes, ignored);
}

}  // namespace atrous
