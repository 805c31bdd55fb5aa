// Dropout; formula in kernels/dropout.h.
#pragma once

#include "engine/ops/descriptor.h"

namespace atrous {

// The key of a forward pass's randomness. While one lives, dropout on this thread draws by (seed, step, micro-batch,
// path of the module, element), so that a resumed training and any device draw the same. A module that runs twice in
// one forward pass draws the same mask twice.
class StepRandomness {
 public:
    // `device_step`: memory on the net's device that is added to `step`, for a step that is captured and replayed.
    StepRandomness(uint64_t seed, int64_t step, int64_t micro_batch = 0, const int64_t* device_step = nullptr);
    ~StepRandomness();
    StepRandomness(const StepRandomness&) = delete;
    StepRandomness& operator=(const StepRandomness&) = delete;

    static const StepRandomness* current();  // the innermost of this thread, or null
    uint64_t key(const std::string& module) const;
    int64_t step() const { return step_; }
    const int64_t* device_step() const { return device_step_; }

 private:
    uint64_t seed_;
    int64_t step_, micro_batch_;
    const int64_t* device_step_;
    const StepRandomness* outer_;
};

// x with each element zeroed with probability p and the others divided by 1 - p; x itself where not training or p = 0.
// Throws ShapeError where p is not in [0, 1], Error where a training forward pass has no StepRandomness.
Tensor dropout(const Tensor& x, double p, bool training);

OpDescriptor describe_dropout();
inline const AddedOps dropout_added{describe_dropout};

}  // namespace atrous
