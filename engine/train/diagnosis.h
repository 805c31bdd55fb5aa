// Finds where the numbers of a training step go wrong.
#pragma once

#include <string>
#include <vector>

#include "engine/host_batch.h"
#include "engine/nn/segmentation_net.h"
#include "engine/train/loss.h"

namespace atrous {

// One value of a step: an op's output, or the gradients its backward pass gave.
struct TensorStats {
    std::string path, op;
    bool backward = false;
    Shape shape;
    int64_t count = 0, nonfinite = 0;   // elements
    double min = 0, max = 0, mean = 0;  // of the finite ones
};

struct StepDiagnosis {
    double loss = 0;
    std::vector<TensorStats> layers;       // in the order in which they were computed
    std::vector<int> bad_images;           // whose values in the first bad forward layer are not finite
    const TensorStats* first_bad() const;  // null where everything is finite
    // "conv2d of down1.conv (forward): 12 of 4096 values are not finite"; or that nothing was found.
    std::string text() const;
};

// A step depends on these besides the net and its batch.
struct StepConditions {
    DType compute = DType::f32;
    int64_t attempt = 0, micro_batch = 0;  // key dropout's masks; the index of a micro-batch within its step
    double loss_scale = 1;                 // what the backward pass starts from
    double aux_weight = default_aux_weight;
};

// Runs forward and backward pass eagerly and looks at every value. Overwrites the gradients; parameters stay as they
// are, running statistics move.
StepDiagnosis diagnose_step(SegmentationNet& net, const LossFunction& loss, const HostBatch& batch,
                            const StepConditions& conditions);

}  // namespace atrous
