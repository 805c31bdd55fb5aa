// Intersection over union, |truth ∩ predicted| / |truth ∪ predicted|, averaged over the classes that occur.
#include "engine/train/metric.h"

namespace atrous {

static double iou_of_class(const ClassCounts& c) {
    return c.both() ? double(c.intersection) / double(c.both() - c.intersection) : undefined_score;
}

Metric describe_mean_iou() {
    return {.key = "miou",
            .title = "mIoU",
            .field = "mean_iou",
            .monitor = "iou",
            .of_counts = [](const ConfusionMatrix& m) { return mean_over_classes(m, iou_of_class); },
            .by_class = {.title = "IoU", .field = "iou", .value = iou_of_class, .by_image = true},
            .epoch_title = "mIoU",
            .baseline = Metric::Baseline::several_classes};
}

}  // namespace atrous
