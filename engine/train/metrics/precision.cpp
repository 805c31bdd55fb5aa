// Precision: |truth ∩ predicted| / |predicted|, the share of what was claimed that is there. It is undefined for a class
// that was not predicted.
#include "engine/train/metrics/object_or_mean.h"

namespace atrous {

static double precision_of_class(const ClassCounts& c) {
    return c.predicted ? double(c.intersection) / double(c.predicted) : undefined_score;
}

Metric describe_precision() {
    return {.key = "precision",
            .title = "precision",
            .of_counts = [](const ConfusionMatrix& m) { return object_or_mean(m, precision_of_class); },
            .by_class = {.title = "precision", .field = "precision", .value = precision_of_class},
            .detail = true};
}

}  // namespace atrous
