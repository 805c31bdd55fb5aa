// A plan tells before it begins what a training or a prediction will take of a device's memory (engine/simulation.h).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/host_batch.h"
#include "engine/nn/segmentation_net.h"
#include "engine/optim/optimizer.h"
#include "engine/simulation.h"
#include "engine/train/loss.h"

namespace atrous {

struct PlanOptions {
    Device device;               // what it is planned for; need not be here
    DType compute = DType::f32;  // bf16 or f16: half-precision activations and copies of the weights
    int64_t batch = 1, height = 256, width = 256;
    int64_t validation_height = 0, validation_width = 0;  // where it has another size than the training; 0: the same
    int64_t whole_height = 0,
            whole_width = 0;  // of validation images seen through windows of that size; 0: as they are
    bool training = true;     // false: a forward pass alone
    int64_t last_batch = 0;   // images of an epoch's last batch where it has another size; 0: there is none
    int64_t validation_batch = 0, last_validation_batch = 0;  // the same of the evaluation between epochs
    size_t limit_bytes = 0;                                   // the allocator's; 0: none
    OptimizerOptions optimizer = {};
    LossFactory loss = bce_dice_loss();
    double aux_weight = default_aux_weight;
    int64_t accumulate = 1;  // micro-batches a step
    bool graphs = true;      // steps are recorded where the device can
    ImageForm images =
        ImageForm::floats;  // as the batches hold them that are trained on, or of which it is a forward pass
    ImageForm validation_images = ImageForm::floats;
    int64_t source_pixels = 0, filter_values = 0;  // of form samples: the room for one (HostBatch)
};

// Bytes are those that the device's allocator counts: sizes rounded, blocks that stand in for slightly smaller ones.
struct MemoryPlan {
    size_t peak_bytes = 0;  // in use at most
    size_t reserved_bytes =
        0;  // held at most, with the blocks kept for later; with this the steady step asks for nothing
    std::vector<SimulatedBlock> blocks;  // in use at the peak, largest first; their sum is peak_bytes
    size_t at_peak(BlockUse use) const;
};

// `net` is materialized on device meta. Throws what the training would throw: ShapeError, and MemoryError where the
// limit is too low even with blocks given back and asked for again.
MemoryPlan plan_memory(SegmentationNet& net, const PlanOptions& options);

bool can_be_carried_out(SegmentationNet& net, const PlanOptions& options);  // no MemoryError

// Returns the bytes that the plan holds; nothing where the net cannot be trained so (batch norm over one value).
std::optional<size_t> bytes_held(SegmentationNet& net, const PlanOptions& options);

// The options for a batch of that many images.
using PlanForBatch = std::function<PlanOptions(int64_t batch)>;

// The largest of 1 to at_most for which the plan holds at most `bytes`; 0 where none does. Batches that the net cannot
// train on, or whose last batch of the epoch it cannot, are passed over.
int64_t largest_batch(SegmentationNet& net, const PlanForBatch& plan, size_t bytes, int64_t at_most);

}  // namespace atrous
