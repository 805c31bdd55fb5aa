// Mean accuracy: recall averaged over the classes that are there, the background among them ("mean acc." of Long et
// al., 2015; balanced accuracy where there are two classes).
#include "engine/train/metrics/recall.h"

namespace atrous {

Metric describe_mean_accuracy() {
    return {.key = "mean_accuracy",
            .title = "mean accuracy",
            .monitor = "mean-accuracy",
            .of_counts = [](const ConfusionMatrix& m) { return mean_over_classes(m, recall_of_class); },
            .detail = true};
}

}  // namespace atrous
