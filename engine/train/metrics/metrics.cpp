// The metrics there are, in the order in which they are shown.
#include "base/error.h"
#include "engine/train/metric.h"

namespace atrous {

// Each in the file of its name.
Metric describe_dice();
Metric describe_image_dice();
Metric describe_mean_iou();
Metric describe_pixel_accuracy();
Metric describe_precision();
Metric describe_recall();
Metric describe_specificity();
Metric describe_weighted_iou();
Metric describe_mean_accuracy();

Catalogue<Metric>& Metric::catalogue() {
    // clang-format off
    static Catalogue<Metric> metrics("metric",
        describe_dice(),
        describe_image_dice(),
        describe_mean_iou(),
        describe_pixel_accuracy(),
        describe_precision(),
        describe_recall(),
        describe_specificity(),
        describe_weighted_iou(),
        describe_mean_accuracy());
    // clang-format on
    return metrics;
}

void add_metric(const Metric& m) {
    if (int(bool(m.of_counts)) + int(bool(m.of_image_counts)) + int(bool(m.of_image)) != 1)
        throw Error("metric '" + m.key + "': expected one way in which it is found");
    Metric::catalogue().add(m);
}

}  // namespace atrous
