// The moving average of weights by its definition, in double, rounded once per stored value.
#include "kernels/weight_average.h"

#include <utility>

#include "base/dispatch.h"
#include "base/variant.h"

namespace atrous::kernels::reference {

// f(weight, average) for every pair.
template <class T, class F>
static void each_pair(const AveragedWeights& of, F f) {
    for (int64_t chunk = 0; chunk < of.chunk_count; ++chunk)
        for (int64_t i = 0; i < of.chunks[chunk].count; ++i)
            f(static_cast<T*>(of.chunks[chunk].weights)[i], static_cast<T*>(of.chunks[chunk].average)[i]);
}

void average_weights(Queue&, const AverageWeightsArgs& a) {
    check(a);
    ran("average_weights/reference");
    if (a.state && a.state->found_nonfinite) return;
    const double rate = averaging_rate(a);
    dispatch_exact("average_weights", a.of.dtype, [&](auto zero) {
        using T = decltype(zero);
        each_pair<T>(a.of, [&](const T& weight, T& average) {
            average = T(average + rate * (double(weight) - double(average)));
        });
    });
}

void exchange_weights(Queue&, const ExchangeWeightsArgs& a) {
    check(a);
    ran("exchange_weights/reference");
    dispatch_exact("exchange_weights", a.of.dtype, [&](auto zero) {
        each_pair<decltype(zero)>(a.of, [](auto& weight, auto& average) { std::swap(weight, average); });
    });
}

}  // namespace atrous::kernels::reference
