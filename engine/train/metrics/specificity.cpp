// Specificity: the share of the pixels outside a class that were not taken for it, (all - |truth ∪ predicted|) /
// (all - |truth|). It is undefined where every pixel is of the class, and absent where the class does not occur.
#include "engine/train/metrics/object_or_mean.h"

namespace atrous {

static double specificity_of_class(const ClassCounts& c) {
    const int64_t outside = c.all - c.truth, claimed = c.predicted - c.intersection;
    return outside && c.both() ? double(outside - claimed) / double(outside) : undefined_score;
}

Metric describe_specificity() {
    return {.key = "specificity",
            .title = "specificity",
            .of_counts = [](const ConfusionMatrix& m) { return object_or_mean(m, specificity_of_class); },
            // With many classes it is near 1 for each: it says little there for its width.
            .by_class = {.title = "specificity",
                         .field = "specificity",
                         .value = specificity_of_class,
                         .in_terminal = false},
            .detail = true};
}

}  // namespace atrous
