// A metric of counts: the overlap coefficient |truth ∩ predicted| / min(|truth|, |predicted|), averaged over the classes
// that have one.
#include <algorithm>

#include "engine/train/metric.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

static double overlap_of_class(const ClassCounts& c) {
    const int64_t smaller = std::min(c.truth, c.predicted);
    return smaller ? double(c.intersection) / double(smaller) : undefined_score;
}

static double overlap_of(const ConfusionMatrix& m) {
    double sum = 0;
    int64_t occurring = 0;
    for (int64_t c = 0; c < m.classes(); ++c) {
        const ClassCounts counts = m.of_class(c);
        if (std::min(counts.truth, counts.predicted) > 0) sum += overlap_of_class(counts), ++occurring;
    }
    return occurring ? sum / double(occurring) : undefined_score;
}

void add_overlap() {
    add_metric({.key = "overlap",
                .title = "overlap",
                .monitor = "overlap",
                .of_counts = overlap_of,
                .by_class = {.title = "overlap", .field = "overlap", .value = overlap_of_class},
                .epoch_title = "overlap"});
}

}  // namespace atrous::extending
