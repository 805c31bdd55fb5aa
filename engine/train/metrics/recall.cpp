// Recall (sensitivity): |truth ∩ predicted| / |truth|, the share of what is there that was found. It is undefined for a
// class without a pixel.
#include "engine/train/metrics/recall.h"

#include "engine/train/metrics/object_or_mean.h"

namespace atrous {

double recall_of_class(const ClassCounts& c) {
    return c.truth ? double(c.intersection) / double(c.truth) : undefined_score;
}

Metric describe_recall() {
    return {.key = "recall",
            .title = "recall",
            .of_counts = [](const ConfusionMatrix& m) { return object_or_mean(m, recall_of_class); },
            .by_class = {.title = "recall", .field = "recall", .value = recall_of_class},
            .detail = true};
}

}  // namespace atrous
