// The moving average of weights. Grid: one block of 256 threads a chunk (at most 4096 consecutive elements), a thread
// takes four at a time where both of the chunk's arrays are aligned to 16 bytes. No shared memory.
#include "kernels/weight_average.h"

#include "base/variant.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// f(average, weight) for the thread's share of a chunk, with references to what it may change: averages, and weights
// where these are `stored` again.
template <bool stored, class F>
__device__ __forceinline__ void each_pair(const AveragedChunk& chunk, F f) {
    float* const averages = static_cast<float*>(chunk.average);
    float* const weights = static_cast<float*>(chunk.weights);
    const auto share = [&](int i, auto width) {
        constexpr int W = decltype(width)::value;
        Floats<W> average = load_floats<W>(averages + i), weight = load_floats<W>(weights + i);
#pragma unroll
        for (int j = 0; j < W; ++j) f(average.v[j], weight.v[j]);
        store_floats(averages + i, average);
        if constexpr (stored) store_floats(weights + i, weight);
    };
    const bool vectors = (reinterpret_cast<uintptr_t>(averages) | reinterpret_cast<uintptr_t>(weights)) % 16 == 0;
    const int count = int(chunk.count), whole = vectors ? count / 4 * 4 : 0, threads = int(blockDim.x);
    for (int i = 4 * int(threadIdx.x); i < whole; i += 4 * threads) share(i, std::integral_constant<int, 4>());
    for (int i = whole + int(threadIdx.x); i < count; i += threads) share(i, std::integral_constant<int, 1>());
}

__global__ void __launch_bounds__(block_threads) average_weights_kernel(AverageWeightsArgs a) {
    if (a.state && a.state->found_nonfinite) return;
    const float rate = float(averaging_rate(a));
    each_pair<false>(a.of.chunks[blockIdx.x],
                     [&](float& average, float weight) { average = fmaf(rate, weight - average, average); });
}

__global__ void __launch_bounds__(block_threads) exchange_weights_kernel(ExchangeWeightsArgs a) {
    each_pair<true>(a.of.chunks[blockIdx.x], [](float& average, float& weight) {
        const float kept = weight;
        weight = average;
        average = kept;
    });
}

void check_for_gpu(const AveragedWeights& of) {
    require(of.dtype == DType::f32, "weight average: weights on the GPU are f32");
}

}  // namespace

void average_weights(Queue& q, const AverageWeightsArgs& a) {
    check(a);
    check_for_gpu(a.of);
    ran("average_weights/chunks");
    if (a.of.chunk_count > 0)
        launch(average_weights_kernel, dim3(unsigned(a.of.chunk_count)), dim3(block_threads), 0, q.stream(), a);
}

void exchange_weights(Queue& q, const ExchangeWeightsArgs& a) {
    check(a);
    check_for_gpu(a.of);
    ran("exchange_weights/chunks");
    if (a.of.chunk_count > 0)
        launch(exchange_weights_kernel, dim3(unsigned(a.of.chunk_count)), dim3(block_threads), 0, q.stream(), a);
}

}  // namespace atrous::kernels::cuda
