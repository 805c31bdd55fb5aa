// Dice of each image by itself, averaged over the images that have one.
#include "engine/train/metrics/dice.h"

namespace atrous {

Metric describe_image_dice() {
    return {.key = "image_dice",
            .title = "mean over images",
            .of_image_counts = dice_of,
            .epoch_title = "images",
            .in_parentheses = true};
}

}  // namespace atrous
