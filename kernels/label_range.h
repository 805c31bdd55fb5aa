// Labels that are out of range: no class, and not ignored. Losses and scores take them for something that nobody meant, so
// they are counted, and the first one is kept.
//
// A label l of labels u8 [count] is out of range where l >= classes and l != ignore_index. found = their number, the lowest
// index of one (-1: there is none) and the label there.
#pragma once

#include "base/error.h"
#include "kernels/queue.h"

namespace atrous::kernels {

// Lies in device memory as three i64.
struct LabelsOutOfRange {
    int64_t count = 0, first = -1, label = 0;
};

struct LabelRangeArgs {
    const uint8_t* labels = nullptr;
    int64_t count = 0;
    int classes = 0;
    int ignore_index = 255;             // -1: none
    LabelsOutOfRange* found = nullptr;  // out
};

// What every implementation requires.
inline void check(const LabelRangeArgs& a) {
    require(a.labels && a.found, "label_range: labels and a place for what is found are needed");
    require(a.count > 0 && a.classes > 0, "label_range: labels and classes are needed");
}

constexpr bool is_out_of_range(int label, int classes, int ignore_index) {
    return label >= classes && label != ignore_index;
}

// clang-format off
namespace reference { void label_range(Queue&, const LabelRangeArgs&); }
namespace cpu { void label_range(Queue&, const LabelRangeArgs&); }
namespace cuda { void label_range(Queue&, const LabelRangeArgs&); }
// clang-format on

}  // namespace atrous::kernels
