// The batch whose step gave NaN or Inf, with the weights it met: written by train, run again by replay.
#pragma once

#include <string>

#include "engine/train/trainer.h"
#include "models/check.h"
#include "segmentation/model_card.h"
#include "segmentation/tuned_record.h"

namespace atrous {

struct BadBatch {
    ModelCard card;
    HostBatch batch;
    int64_t epoch = 0, step = 0;
    uint64_t seed = 0;
    StepConditions conditions;  // `compute` is the model card's
    FreezeOptions freezing;
};

void save_bad_batch(const std::string& path, SegmentationNet& net, const ModelCard& card, const BadStep& bad,
                    const FreezeOptions& freezing, const std::optional<TunedRecord>& tuned);
// Reads all but the weights, which load_bad_weights puts into a net of the model card. Throws FormatError for other
// files.
BadBatch read_bad_batch(const io::SafetensorsFile& file);
void load_bad_weights(const io::SafetensorsFile& file, SegmentationNet& net);

}  // namespace atrous
