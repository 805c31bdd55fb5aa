// The figures of training steps, kept on the device so that the host need not wait for each: a ring of entries.
// A step of several micro-batches adds up its loss terms; the last one, after the optimizer's finish_step, writes the
// entry number (attempts - 1) % capacity.
#pragma once

#include "kernels/optim.h"

namespace atrous::kernels {

struct StepLogEntry {
    double loss = 0, cross_entropy = 0, dice = 0;  // cross_entropy: or BCE, focal; dice: or the Tversky index
    double grad_norm = 0;                          // before clipping
    float loss_scale = 1;                          // after the step
    int32_t nonfinite = 0;                         // some gradient was; the step changed nothing
    int64_t attempt = 0;
};

struct StepLogArgs {
    const void* terms = nullptr;      // [4]: loss, cross entropy, dice, count; f32 or f64
    const void* aux_terms = nullptr;  // of an auxiliary head, weighted already: its loss adds to the first term
    DType dtype = DType::f32;
    double dice_weight = 1;          // of this micro-batch
    bool first = true, last = true;  // of the step's micro-batches
    const StepState* state = nullptr;
    double* sums = nullptr;  // [3], kept between the micro-batches of a step
    StepLogEntry* ring = nullptr;
    int64_t capacity = 1;
};

// What every implementation requires.
inline void check(const StepLogArgs& a) {
    require(a.terms && a.sums, "log_step: terms and sums are needed");
    require(!a.last || (a.state && a.ring && a.capacity >= 1), "log_step: state and ring are needed after the last");
    require(a.dtype == DType::f32 || a.dtype == DType::f64, "log_step: loss terms are f32 or f64");
}

// What every backend does, in its own memory. constexpr, so that device code may call it.
template <class T>
constexpr void log_step_entry(const StepLogArgs& a) {
    const T* const terms = static_cast<const T*>(a.terms);
    const double aux = a.aux_terms ? double(static_cast<const T*>(a.aux_terms)[0]) : 0;
    const double values[3] = {double(terms[0]) + aux, double(terms[1]), a.dice_weight * double(terms[2])};
    for (int i = 0; i < 3; ++i) a.sums[i] = (a.first ? 0 : a.sums[i]) + values[i];
    if (!a.last) return;
    const StepState& s = *a.state;
    StepLogEntry& entry = a.ring[(s.attempts - 1) % a.capacity];
    entry.loss = a.sums[0], entry.cross_entropy = a.sums[1], entry.dice = a.sums[2];
    entry.grad_norm = s.grad_norm, entry.loss_scale = s.loss_scale, entry.nonfinite = s.found_nonfinite;
    entry.attempt = s.attempts - 1;
}

// clang-format off
namespace reference { void log_step(Queue&, const StepLogArgs&); }
namespace cpu { void log_step(Queue&, const StepLogArgs&); }
namespace cuda { void log_step(Queue&, const StepLogArgs&); }
// clang-format on

}  // namespace atrous::kernels
