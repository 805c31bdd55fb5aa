#include "engine/train/metrics/object_or_mean.h"

namespace atrous {

double object_or_mean(const ConfusionMatrix& matrix, double (*of_class)(const ClassCounts&)) {
    if (matrix.binary()) return of_class(matrix.of_class(1));
    return mean_over_classes(matrix, of_class);
}

}  // namespace atrous
