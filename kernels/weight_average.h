// Averages of a net's weights. The exponential moving one (Polyak and Juditsky 1992, of steps; Tarvainen and Valpola
// 2017):
//   average += (1 - d) * (weight - average),  d = min(decay, (1 + t) / (10 + t))
// where t counts the steps applied, this one included. The ramp, as tf.train.ExponentialMovingAverage's with num_updates,
// has the first steps' weights forgotten soon. The other one has a given share in place of 1 - d: of n weights that are
// added with shares of 1, 1/2, …, 1/n it is the mean (Izmailov et al. 2018). Element type T: f32, or f64 on reference and
// cpu. An average that is equal in value to its weight, both finite, stays so.
#pragma once

#include <algorithm>

#include "base/error.h"
#include "kernels/optim.h"

namespace atrous::kernels {

// A run of consecutive elements, wherever it lies: parameters are in an arena, batch norm's statistics are not.
struct AveragedChunk {
    void *weights = nullptr, *average = nullptr;
    int64_t count = 0;  // at most optim_chunk_elements
};

struct AveragedWeights {
    DType dtype = DType::f32;
    int64_t count = 0;                      // elements in all chunks
    const AveragedChunk* chunks = nullptr;  // on the device; no two of them overlap
    int64_t chunk_count = 0;
};

// With a state after finish_step, whose count this reads: a step that found_nonfinite was not applied and changes no
// average. Without one (null) the weight has the given share.
struct AverageWeightsArgs {
    AveragedWeights of;
    const StepState* state = nullptr;
    double decay = 0;
    double share = 0;
};

// Weights and averages change places.
struct ExchangeWeightsArgs {
    AveragedWeights of;
};

// What every implementation requires.
inline void check(const AveragedWeights& w) {
    require(w.chunk_count == 0 || w.chunks, "weight average: chunks are needed");
}
inline void check(const AverageWeightsArgs& a) {
    check(a.of);
    require(a.state || a.share > 0, "average_weights: the step's state or a share is needed");
    require(a.decay >= 0 && a.decay <= 1 && a.share >= 0 && a.share <= 1,
            "average_weights: decay and share lie between 0 and 1");
}
inline void check(const ExchangeWeightsArgs& a) { check(a.of); }

// 1 - d after so many applied steps. constexpr, so that device code may call it.
constexpr double averaging_rate(double decay, int64_t steps) {
    return 1 - std::min(decay, (1 + double(steps)) / (10 + double(steps)));
}
// Of the weight in the average.
constexpr double averaging_rate(const AverageWeightsArgs& a) {
    return a.state ? averaging_rate(a.decay, a.state->step) : a.share;
}

// clang-format off
namespace reference {
void average_weights(Queue&, const AverageWeightsArgs&);
void exchange_weights(Queue&, const ExchangeWeightsArgs&);
}
namespace cpu {
void average_weights(Queue&, const AverageWeightsArgs&);
void exchange_weights(Queue&, const ExchangeWeightsArgs&);
}
namespace cuda {
void average_weights(Queue&, const AverageWeightsArgs&);
void exchange_weights(Queue&, const ExchangeWeightsArgs&);
}
// clang-format on

}  // namespace atrous::kernels
