// Optimizer steps over flat arenas: all parameters in one array, all gradients in another of the same layout.
// Element type T of parameters, gradients and moments: f32, or f64 on reference and cpu. State lives on the device, so
// that a step needs no value from the host.
//
// A step is: grad_statistics (norm, clipping factor, non-finite check) - sgd_step, adam_step or rmsprop_step -
// finish_step.
// Where found_nonfinite is set, the step leaves parameters, moments and its count untouched.
#pragma once

#include <algorithm>

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct StepState {
    double learning_rate = 0;  // of this step; written by the host before the step
    double grad_norm = 0;      // of the last gradients, unscaled, before clipping
    double clip_factor = 1;    // 1, or max_norm / grad_norm where that is smaller
    int64_t step = 0;          // steps applied so far
    int64_t attempts = 0;      // steps tried, the skipped ones included
    int64_t first_bad_attempt = -1;
    float loss_scale = 1;         // gradients are this many times too large
    int32_t good_steps = 0;       // since the loss scale last changed
    int32_t found_nonfinite = 0;  // of the last gradients
    int32_t padding = 0;
};

// A run of consecutive elements with one set of hyper-parameters. Chunks cover every parameter once.
struct OptimChunk {
    int64_t begin = 0;
    int32_t count = 0;  // at most optim_chunk_elements
    int32_t group = 0;
};
constexpr int optim_chunk_elements = 4096;
constexpr int optim_max_groups = 8;
struct OptimGroup {
    double weight_decay = 0, lr_scale = 1;
};

struct Arena {
    void *parameters = nullptr, *gradients = nullptr;
    void *moment1 = nullptr, *moment2 = nullptr;  // SGD, RMSprop: moment1 is the momentum buffer; SGD: moment2 absent
    void* half = nullptr;                         // half-precision copy of the parameters to refresh; may be absent
    DType dtype = DType::f32, half_dtype = DType::bf16;
    int64_t count = 0;                   // elements, padding included
    const OptimChunk* chunks = nullptr;  // on the device
    int64_t chunk_count = 0;
    OptimGroup groups[optim_max_groups];
};

struct GradStatisticsArgs {
    Arena arena;
    StepState* state = nullptr;
    double max_norm = 0;  // 0: no clipping. As torch clip_grad_norm_: factor = min(1, max_norm / (norm + 1e-6))
    bool halt = false;    // after a first bad step every later one counts as bad too: the parameters stay as they were
};

// g = clip_factor * grad / loss_scale + weight_decay * p.  As torch.optim.SGD, dampening 0:
//   buffer = first step ? g : momentum * buffer + g;  p -= lr * (nesterov ? g + momentum * buffer : buffer)
// Without momentum p -= lr * g, and moment1 may be absent.
struct SgdArgs {
    Arena arena;
    const StepState* state = nullptr;
    double momentum = 0;
    bool nesterov = false;
};

// As torch.optim.Adam (weight decay added to the gradient) or AdamW (decoupled: p *= 1 - lr * weight_decay), with
// t = step + 1:
//   m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g^2;  p -= lr / (1-b1^t) * m / (sqrt(v) / sqrt(1-b2^t) + epsilon)
struct AdamArgs {
    Arena arena;
    const StepState* state = nullptr;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    bool decoupled = false;
};

// g as SgdArgs'. As torch.optim.RMSprop, not centered; v is moment2, buffer is moment1, and both begin as zeros:
//   v = alpha*v + (1-alpha)*g^2;  buffer = momentum * buffer + g / (sqrt(v) + epsilon);  p -= lr * buffer
// Without momentum the quotient is the buffer, and moment1 may be absent.
struct RmspropArgs {
    Arena arena;
    const StepState* state = nullptr;
    double alpha = 0.99, epsilon = 1e-8, momentum = 0;
};

// step += 1 unless found_nonfinite, else first_bad_attempt = attempts if it was -1; attempts += 1. With
// dynamic_loss_scale halves the scale after a bad step and doubles it after growth_interval good ones, within [1,
// 2^24]; without it the scale and good_steps stay as they are.
struct FinishStepArgs {
    StepState* state = nullptr;
    bool dynamic_loss_scale = false;
    int growth_interval = 2000;
};

// What every implementation requires.
inline void check_step(const Arena& a, const StepState* state) {
    require(state, "optimizer: the step's state is needed");
    require(a.chunk_count == 0 || (a.parameters && a.gradients && a.chunks),
            "optimizer: parameters, gradients and chunks are needed");
    require(!a.half || is_half(a.half_dtype), "optimizer: the half-precision copy is bf16 or f16");
}
inline void check(const GradStatisticsArgs& a) {
    require(a.state, "grad_statistics: the step's state is needed");
    require(a.arena.chunk_count == 0 || (a.arena.gradients && a.arena.chunks),
            "grad_statistics: gradients and chunks are needed");
}
inline void check(const SgdArgs& a) {
    check_step(a.arena, a.state);
    require(a.momentum == 0 || a.arena.moment1, "sgd_step: momentum needs its buffer");
}
inline void check(const AdamArgs& a) {
    check_step(a.arena, a.state);
    require(a.arena.moment1 && a.arena.moment2, "adam_step: both moments are needed");
}
inline void check(const RmspropArgs& a) {
    check_step(a.arena, a.state);
    require(a.arena.moment2, "rmsprop_step: the mean of squares is needed");
    require(a.momentum == 0 || a.arena.moment1, "rmsprop_step: momentum needs its buffer");
}
inline void check(const FinishStepArgs& a) { require(a.state, "finish_step: the step's state is needed"); }

// The end of grad_statistics in every backend, from the root of the sum of squares of the gradients as they lie in the
// arena and whether all of them are finite. constexpr, so that device code may call it.
constexpr void finish_statistics(const GradStatisticsArgs& a, double root, bool finite) {
    StepState& s = *a.state;
    s.grad_norm = root / s.loss_scale;
    const double factor = a.max_norm / (s.grad_norm + 1e-6);
    s.clip_factor = a.max_norm > 0 && factor < 1 ? factor : 1;
    s.found_nonfinite = !finite || (a.halt && s.first_bad_attempt >= 0);
}

// What finish_step does in every backend, in its own memory. constexpr, so that device code may call it.
constexpr void advance(const FinishStepArgs& a) {
    StepState& s = *a.state;
    const bool bad = s.found_nonfinite != 0;
    if (bad && s.first_bad_attempt < 0) s.first_bad_attempt = s.attempts;
    if (!bad) ++s.step;
    ++s.attempts;
    if (!a.dynamic_loss_scale) return;
    if (bad) {
        s.loss_scale = std::max(s.loss_scale / 2, 1.0f);
        s.good_steps = 0;
    } else if (++s.good_steps >= a.growth_interval) {
        s.loss_scale = std::min(s.loss_scale * 2, 0x1p24f);
        s.good_steps = 0;
    }
}

// clang-format off
namespace reference {
void grad_statistics(Queue&, const GradStatisticsArgs&);
void sgd_step(Queue&, const SgdArgs&);
void adam_step(Queue&, const AdamArgs&);
void rmsprop_step(Queue&, const RmspropArgs&);
void finish_step(Queue&, const FinishStepArgs&);
}
namespace cpu {
void grad_statistics(Queue&, const GradStatisticsArgs&);
void sgd_step(Queue&, const SgdArgs&);
void adam_step(Queue&, const AdamArgs&);
void rmsprop_step(Queue&, const RmspropArgs&);
void finish_step(Queue&, const FinishStepArgs&);
}
namespace cuda {
void grad_statistics(Queue&, const GradStatisticsArgs&);
void sgd_step(Queue&, const SgdArgs&);
void adam_step(Queue&, const AdamArgs&);
void rmsprop_step(Queue&, const RmspropArgs&);
void finish_step(Queue&, const FinishStepArgs&);
}
// clang-format on

}  // namespace atrous::kernels
