// Labels out of range. Parts are looked at apart; numbers add up and the lowest index wins, whoever found it.
#include "kernels/label_range.h"

#include <algorithm>

#include "base/variant.h"
#include "kernels/cpu/parallel.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t block = 256;  // labels that are looked at together

// Of `block` labels, so that the compiler takes many at once.
bool any_out_of_range(const uint8_t* labels, uint8_t first_refused, bool passes, uint8_t passed) {
    uint8_t wrong = 0;
    for (int64_t i = 0; i < block; ++i)
        wrong |= uint8_t(labels[i] >= first_refused) & uint8_t(!passes | (labels[i] != passed));
    return wrong != 0;
}

LabelsOutOfRange found_in(const LabelRangeArgs& a, int64_t begin, int64_t end) {
    LabelsOutOfRange found;
    const bool passes = a.ignore_index >= 0 && a.ignore_index <= 255;
    for (int64_t at = begin; at < end; at += block) {
        const int64_t stop = std::min(end, at + block);
        if (stop - at == block && !any_out_of_range(a.labels + at, uint8_t(a.classes), passes, uint8_t(a.ignore_index)))
            continue;
        for (int64_t i = at; i < stop; ++i) {
            if (!is_out_of_range(a.labels[i], a.classes, a.ignore_index)) continue;
            ++found.count;
            if (found.first < 0) found.first = i, found.label = a.labels[i];
        }
    }
    return found;
}

}  // namespace

void label_range(Queue& q, const LabelRangeArgs& a) {
    check(a);
    ran("label_range/omp");
    *a.found = {};
    if (a.classes > 255) return;  // every label is a class
    const int64_t count = std::clamp<int64_t>(a.count / (16 * block), 1, 64);
    auto* const parts = q.scratch<LabelsOutOfRange>(size_t(count));
    constexpr int64_t labels_an_element = 16;  // that take as long as one of other kernels
    parallel_each(q, count, a.count / labels_an_element, [&](int64_t part) {
        parts[part] = found_in(a, a.count * part / count, a.count * (part + 1) / count);
    });
    for (int64_t i = 0; i < count; ++i) {
        if (a.found->first < 0) a.found->first = parts[i].first, a.found->label = parts[i].label;
        a.found->count += parts[i].count;
    }
}

}  // namespace atrous::kernels::cpu
