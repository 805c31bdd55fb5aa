// The batch whose step gave NaN or Inf, with the weights it met: written by train, run again by replay.
#pragma once

#include <string>

#include "apps/recipe.h"
#include "engine/train/trainer.h"
#include "models/check.h"

namespace atrous::app {

struct BadBatch {
    Recipe recipe;
    HostBatch batch;
    int64_t epoch = 0, step = 0;
    uint64_t seed = 0;
    StepConditions conditions;  // `compute` is the recipe's
    Freezing freezing;
};

void save_bad_batch(const std::string& path, SegmentationNet& net, const Recipe& recipe, const BadStep& bad,
                    const Freezing& freezing);
// Without the weights, which load_bad_weights puts into a net of the recipe. FormatError for any other file.
BadBatch read_bad_batch(const io::SafetensorsFile& file);
void load_bad_weights(const io::SafetensorsFile& file, SegmentationNet& net);

}  // namespace atrous::app
