// The figures of training steps, kept on the device so that the host need not wait for each: a ring of entries.
// A step of several micro-batches adds up its loss terms; the last one, after the optimizer's finish_step, writes the
// entry number (attempts - 1) % capacity. Without terms it writes what the sums hold.
//
// Labels out of range are counted over the micro-batches too, and of all that were found the first one is kept.
#pragma once

#include "kernels/label_range.h"
#include "kernels/optim.h"

namespace atrous::kernels {

constexpr int max_loss_terms = 8;

struct StepLogEntry {
    double loss = 0;
    double terms[max_loss_terms] = {};  // of the loss, as it lists them; 0 beyond them
    double counted = 0;                 // elements that count for the loss
    double grad_norm = 0;               // before clipping
    float loss_scale = 1;               // after the step
    int32_t nonfinite = 0;              // some gradient was; the step changed nothing
    int64_t attempt = 0;
    // Over all ranks the number of labels out of range; of this rank the first one's index among the labels of the step,
    // micro-batch by micro-batch (-1: it has none), and that label.
    LabelsOutOfRange labels;
};

struct StepLogArgs {
    const void* terms = nullptr;  // [2 + term_count]: the loss, its terms, counted; f32 or f64; absent: nothing to add
    const void* aux_terms = nullptr;  // of an auxiliary head, weighted already: its loss adds to the first term
    DType dtype = DType::f32;
    const LabelsOutOfRange* labels = nullptr;  // of this micro-batch; as absent as terms
    int64_t labels_before = 0;                 // labels of the step's micro-batches before this one
    int32_t term_count = 0;                    // at most max_loss_terms
    double term_weights[max_loss_terms] = {};  // of this micro-batch
    bool first = true, last = true;            // of the step's micro-batches
    const StepState* state = nullptr;
    double* sums = nullptr;                   // [3 + term_count], kept between the micro-batches of a step
    LabelsOutOfRange* step_labels = nullptr;  // likewise
    StepLogEntry* ring = nullptr;
    int64_t capacity = 1;
};

// What every implementation requires.
inline void check(const StepLogArgs& a) {
    require((a.terms || !a.first) && a.sums, "log_step: terms and sums are needed");
    require((a.labels || !a.terms) && a.step_labels,
            "log_step: what was found of the labels is needed, and a place for it");
    require(!a.last || (a.state && a.ring && a.capacity >= 1), "log_step: state and ring are needed after the last");
    require(a.dtype == DType::f32 || a.dtype == DType::f64, "log_step: loss terms are f32 or f64");
    require(a.term_count >= 0 && a.term_count <= max_loss_terms, "log_step: a loss has at most 8 terms");
}

constexpr void add_labels(const StepLogArgs& a) {
    double& sum = a.sums[a.term_count + 2];
    sum = (a.first ? 0 : sum) + double(a.labels->count);
    LabelsOutOfRange& step = *a.step_labels;
    if (a.first) step.first = -1, step.label = 0;
    if (step.first >= 0 || a.labels->first < 0) return;
    step.first = a.labels_before + a.labels->first;
    step.label = a.labels->label;
}

template <class T>
constexpr void add_terms(const StepLogArgs& a) {
    const T* const terms = static_cast<const T*>(a.terms);
    const double aux = a.aux_terms ? double(static_cast<const T*>(a.aux_terms)[0]) : 0;
    a.sums[0] = (a.first ? 0 : a.sums[0]) + (double(terms[0]) + aux);
    for (int i = 1; i <= a.term_count; ++i)
        a.sums[i] = (a.first ? 0 : a.sums[i]) + a.term_weights[i - 1] * double(terms[i]);
    const int counted = a.term_count + 1;
    a.sums[counted] = (a.first ? 0 : a.sums[counted]) + double(terms[counted]);
    add_labels(a);
}

// What every backend does, in its own memory. constexpr, so that device code may call it.
template <class T>
constexpr void log_step_entry(const StepLogArgs& a) {
    if (a.terms) add_terms<T>(a);
    if (!a.last) return;
    const StepState& s = *a.state;
    StepLogEntry& entry = a.ring[(s.attempts - 1) % a.capacity];
    entry.loss = a.sums[0];
    for (int i = 0; i < max_loss_terms; ++i) entry.terms[i] = i < a.term_count ? a.sums[i + 1] : 0;
    entry.counted = a.sums[a.term_count + 1];
    entry.grad_norm = s.grad_norm, entry.loss_scale = s.loss_scale, entry.nonfinite = s.found_nonfinite;
    entry.attempt = s.attempts - 1;
    entry.labels.count = int64_t(a.sums[a.term_count + 2]);
    entry.labels.first = a.step_labels->first, entry.labels.label = a.step_labels->label;
}

// clang-format off
namespace reference { void log_step(Queue&, const StepLogArgs&); }
namespace cpu { void log_step(Queue&, const StepLogArgs&); }
namespace cuda { void log_step(Queue&, const StepLogArgs&); }
// clang-format on

}  // namespace atrous::kernels
