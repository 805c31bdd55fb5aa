// Mean accuracy: recall averaged over the classes that are there, the background among them ("mean acc." of Long et
// al., 2015; balanced accuracy where there are two classes).
#include "engine/train/metric.h"

namespace atrous {

static double accuracy_of_class(const ClassCounts& c) {
    return c.truth ? double(c.intersection) / double(c.truth) : undefined_score;
}

Metric describe_mean_accuracy() {
    return {.key = "mean_accuracy",
            .title = "mean accuracy",
            .monitor = "mean-accuracy",
            .of_counts = [](const ConfusionMatrix& m) { return mean_over_classes(m, accuracy_of_class); },
            .detail = true};
}

}  // namespace atrous
