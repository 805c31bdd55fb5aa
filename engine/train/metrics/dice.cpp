// Dice: 2 |truth ∩ predicted| / (|truth| + |predicted|).
#include "engine/train/metrics/dice.h"

namespace atrous {

static double dice_of_class(const ClassCounts& c) {
    return c.both() ? 2.0 * double(c.intersection) / double(c.both()) : undefined_score;
}

double dice_of(const ConfusionMatrix& matrix) {
    if (matrix.classes() == 2) return dice_of_class(matrix.of_class(1));
    return mean_over_classes(matrix, dice_of_class);
}

Metric describe_dice() {
    return {.key = "dice",
            .title = "Dice",
            .monitor = "dice",
            .of_counts = dice_of,
            .by_class = {.title = "Dice", .field = "dice", .value = dice_of_class},
            .epoch_title = "Dice",
            .baseline = Metric::Baseline::always};
}

}  // namespace atrous
