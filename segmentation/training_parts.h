// The parts of a training that a TrainingSetup tells to make, for what trains.
#pragma once

#include <memory>

#include "engine/host_batch.h"
#include "engine/optim/optimizer.h"
#include "segmentation/training_setup.h"

namespace atrous {

// The batches that are trained on; `multiple`: of their sizes.
std::unique_ptr<BatchSource> training_source(const TrainingSetup& setup, int64_t multiple);
// The cache, shared between training and validation by their samples.
int64_t cache_bytes(const TrainingSetup& setup, const std::vector<data::Sample>& of);
TrainerOptions trainer_options(const TrainingSetup& setup, int64_t batches_per_epoch);
// Takes memory for the net, whose weights are drawn by the seed or, with `pretrained`, are those of `pretrained`.
void fill_net(SegmentationNet& net, const TrainingSetup& setup, bool pretrained, Messages& messages);
std::unique_ptr<Optimizer> make_optimizer(const TrainingSetup& setup, SegmentationNet& net);

}  // namespace atrous
