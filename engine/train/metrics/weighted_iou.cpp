// Frequency-weighted IoU: each class's IoU weighted by its share of the true pixels ("f.w. IU" of Long et al., 2015).
#include "engine/train/metric.h"

namespace atrous {

static double weighted_iou_of(const ConfusionMatrix& matrix) {
    if (matrix.overlapping()) return undefined_score;  // the shares are those of classes that exclude each other
    double sum = 0;
    for (int64_t c = 0; c < matrix.classes(); ++c) {
        const ClassCounts k = matrix.of_class(c);
        if (k.truth) sum += double(k.truth) * double(k.intersection) / double(k.both() - k.intersection);
    }
    const int64_t pixels = matrix.pixels();
    return pixels ? sum / double(pixels) : undefined_score;
}

Metric describe_weighted_iou() {
    return {.key = "weighted_iou",
            .title = "frequency-weighted IoU",
            .monitor = "weighted-iou",
            .of_counts = weighted_iou_of,
            .detail = true};
}

}  // namespace atrous
