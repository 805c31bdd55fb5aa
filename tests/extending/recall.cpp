// A metric of counts: the share of a class's pixels that were found, averaged over the classes that occur.
#include "engine/train/metric.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

static double recall_of_class(const ClassCounts& c) {
    return c.truth ? double(c.intersection) / double(c.truth) : undefined_score;
}

static double recall_of(const ConfusionMatrix& m) {
    double sum = 0;
    int64_t occurring = 0;
    for (int64_t c = 0; c < m.classes(); ++c) {
        const ClassCounts counts = m.of_class(c);
        if (counts.truth > 0) sum += recall_of_class(counts), ++occurring;
    }
    return occurring ? sum / double(occurring) : undefined_score;
}

void add_recall() {
    add_metric({.key = "recall",
                .title = "recall",
                .monitor = "recall",
                .of_counts = recall_of,
                .by_class = {.title = "recall", .field = "recall", .value = recall_of_class},
                .epoch_title = "recall"});
}

}  // namespace atrous::extending
