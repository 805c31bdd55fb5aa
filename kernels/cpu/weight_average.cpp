// The moving average of weights: chunks shared among threads.
#include "kernels/weight_average.h"

#include <utility>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"

namespace atrous::kernels::cpu {

namespace {

template <class T>
void average(T* averages, const T* weights, T rate, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) averages[i] += rate * (weights[i] - averages[i]);
}

template <class T>
void exchange(T* averages, T* weights, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const T weight = weights[i];
        weights[i] = averages[i];
        averages[i] = weight;
    }
}

// f(averages, weights, count) for every chunk.
template <class T, class F>
void each_chunk(const Queue& q, const AveragedWeights& of, F f) {
    parallel_each(q, of.chunk_count, of.count, [&](int64_t i) {
        const AveragedChunk& chunk = of.chunks[i];
        f(static_cast<T*>(chunk.average), static_cast<T*>(chunk.weights), chunk.count);
    });
}

}  // namespace

void average_weights(Queue& q, const AverageWeightsArgs& a) {
    check(a);
    ran("average_weights/omp");
    if (a.state && a.state->found_nonfinite) return;
    const double rate = averaging_rate(a);
    dispatch_exact("average_weights", a.of.dtype, [&](auto zero) {
        using T = decltype(zero);
        each_chunk<T>(
            q, a.of, [&](T* averages, const T* weights, int64_t count) { average(averages, weights, T(rate), count); });
    });
}

void exchange_weights(Queue& q, const ExchangeWeightsArgs& a) {
    check(a);
    ran("exchange_weights/omp");
    dispatch_exact("exchange_weights", a.of.dtype, [&](auto zero) {
        using T = decltype(zero);
        each_chunk<T>(q, a.of, [](T* averages, T* weights, int64_t count) { exchange(averages, weights, count); });
    });
}

}  // namespace atrous::kernels::cpu
