// Dice: 2 |truth ∩ predicted| / (|truth| + |predicted|).
#include "engine/train/metrics/dice.h"

#include "engine/train/metrics/object_or_mean.h"

namespace atrous {

static double dice_of_class(const ClassCounts& c) {
    return c.both() ? 2.0 * double(c.intersection) / double(c.both()) : undefined_score;
}

double dice_of(const ConfusionMatrix& matrix) { return object_or_mean(matrix, dice_of_class); }

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
