// The share of pixels whose class was predicted; undefined where no pixel counts,
// and where a pixel may be of several classes.
#include "engine/train/metric.h"

namespace atrous {

static double pixel_accuracy_of(const ConfusionMatrix& matrix) {
    if (matrix.overlapping()) return undefined_score;
    int64_t right = 0;
    for (int64_t c = 0; c < matrix.classes(); ++c) right += matrix.at(c, c);
    const int64_t pixels = matrix.pixels();
    return pixels ? double(right) / double(pixels) : undefined_score;
}

Metric describe_pixel_accuracy() {
    return {.key = "pixel_accuracy", .title = "pixel accuracy", .of_counts = pixel_accuracy_of};
}

}  // namespace atrous
