// Optimizer steps. Grid: one block of 256 threads a chunk (at most 4096 consecutive elements), a thread takes four at a
// time where the arena is aligned to 16 bytes and the chunk begins at a multiple of 4. A small kernel before a step
// turns the state into the few factors that every element needs. Shared memory: 2 KiB where sums are made.
#include "kernels/optim.h"

#include <algorithm>

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: the gradient's norm ----

struct NormArgs {
    const float* gradients;
    const OptimChunk* chunks;
    double* partials;  // one a chunk
    int64_t chunk_count;
    bool vectors;
    GradStatisticsArgs args;
};

constexpr int norm_threads = 64;

// f(offset within the chunk, integral_constant width) for the thread's share of a chunk.
template <class F>
__device__ __forceinline__ void for_each_element(const OptimChunk& chunk, bool vectors, F f) {
    const int whole = vectors && chunk.begin % 4 == 0 ? chunk.count / 4 * 4 : 0;
    const int threads = int(blockDim.x);
    for (int i = 4 * int(threadIdx.x); i < whole; i += 4 * threads) f(i, std::integral_constant<int, 4>());
    for (int i = whole + int(threadIdx.x); i < chunk.count; i += threads) f(i, std::integral_constant<int, 1>());
}

// Squares of finite floats cannot overflow a double, so the sum is finite exactly when every gradient is.
__global__ void __launch_bounds__(norm_threads) sum_squares(NormArgs a) {
    __shared__ double shared[norm_threads];
    const OptimChunk chunk = a.chunks[blockIdx.x];
    const float* const gradients = a.gradients + chunk.begin;
    double sum = 0;
    for_each_element(chunk, a.vectors, [&](int i, auto width) {
        constexpr int W = decltype(width)::value;
        const Floats<W> g = load_floats<W>(gradients + i);
#pragma unroll
        for (int j = 0; j < W; ++j) sum = fma(double(g.v[j]), double(g.v[j]), sum);
    });
    sum = block_sum<norm_threads>(shared, sum);
    if (threadIdx.x == 0) a.partials[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(block_threads) finish_norm(NormArgs a) {
    __shared__ double shared[block_threads];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.chunk_count; i += block_threads) sum += a.partials[i];
    sum = block_sum<block_threads>(shared, sum);
    if (threadIdx.x != 0) return;
    finish_statistics(a.args, sqrt(sum), isfinite(sum));
}

// ---- kernels: steps ----

struct StepFactors {
    float gradient;  // clip_factor / loss_scale
    int32_t skip, first;
    float lr[optim_max_groups], step_size[optim_max_groups];       // step_size: with Adam's first bias correction
    float weight_decay[optim_max_groups], keep[optim_max_groups];  // keep: 1 - lr * weight_decay
    float inverse_root;                                            // 1 / sqrt(second bias correction)
};

struct FactorsArgs {
    const StepState* state;
    StepFactors* factors;
    OptimGroup groups[optim_max_groups];
    double beta1, beta2;
};

__global__ void __launch_bounds__(32) make_factors(FactorsArgs a) {
    const int group = int(threadIdx.x);
    const double t = double(a.state->step + 1);
    StepFactors& f = *a.factors;
    if (group < optim_max_groups) {
        const double lr = a.state->learning_rate * a.groups[group].lr_scale, decay = a.groups[group].weight_decay;
        f.lr[group] = float(lr);
        f.step_size[group] = float(lr / (1 - pow(a.beta1, t)));
        f.weight_decay[group] = float(decay);
        f.keep[group] = float(1 - lr * decay);
    }
    if (group != 0) return;
    f.gradient = float(a.state->clip_factor / a.state->loss_scale);
    f.skip = a.state->found_nonfinite != 0;
    f.first = a.state->step == 0;
    f.inverse_root = float(1 / sqrt(1 - pow(a.beta2, t)));
}

template <class Half>
struct StepArgs {
    float *parameters, *moment1, *moment2;
    const float* gradients;
    Half* half;
    const OptimChunk* chunks;
    const StepFactors* factors;
    bool vectors, nesterov, decoupled;
    float momentum, beta1, beta2, rest1, rest2, epsilon;  // rest = 1 - beta

    template <int W>
    __device__ __forceinline__ void store(int64_t i, const Floats<W>& p) const {
        store_floats(parameters + i, p);
        if (half) store_floats(half + i, p);
    }
};

template <class Half>
__global__ void __launch_bounds__(block_threads) adam_kernel(StepArgs<Half> a) {
    const StepFactors& f = *a.factors;
    if (f.skip) return;
    const OptimChunk chunk = a.chunks[blockIdx.x];
    const float scale = f.gradient, step_size = f.step_size[chunk.group], inverse_root = f.inverse_root;
    const float keep = a.decoupled ? f.keep[chunk.group] : 1.0f;
    const float decay = a.decoupled ? 0.0f : f.weight_decay[chunk.group];
    for_each_element(chunk, a.vectors, [&](int offset, auto width) {
        constexpr int W = decltype(width)::value;
        const int64_t at = chunk.begin + offset;
        const Floats<W> g = load_floats<W>(a.gradients + at);
        Floats<W> p = load_floats<W>(a.parameters + at);
        Floats<W> m = load_floats<W>(a.moment1 + at), v = load_floats<W>(a.moment2 + at);
#pragma unroll
        for (int i = 0; i < W; ++i) {
            const float gradient = fmaf(decay, p.v[i], scale * g.v[i]);
            m.v[i] = fmaf(a.beta1, m.v[i], a.rest1 * gradient);
            v.v[i] = fmaf(a.beta2, v.v[i], a.rest2 * gradient * gradient);
            p.v[i] = fmaf(keep, p.v[i], -step_size * m.v[i] / fmaf(sqrtf(v.v[i]), inverse_root, a.epsilon));
        }
        store_floats(a.moment1 + at, m);
        store_floats(a.moment2 + at, v);
        a.store(at, p);
    });
}

template <class Half>
__global__ void __launch_bounds__(block_threads) sgd_kernel(StepArgs<Half> a) {
    const StepFactors& f = *a.factors;
    if (f.skip) return;
    const OptimChunk chunk = a.chunks[blockIdx.x];
    const float scale = f.gradient, lr = f.lr[chunk.group], decay = f.weight_decay[chunk.group];
    const bool first = f.first;
    for_each_element(chunk, a.vectors, [&](int offset, auto width) {
        constexpr int W = decltype(width)::value;
        const int64_t at = chunk.begin + offset;
        const Floats<W> g = load_floats<W>(a.gradients + at);
        Floats<W> p = load_floats<W>(a.parameters + at), update, buffer = {};
        if (a.momentum != 0 && !first) buffer = load_floats<W>(a.moment1 + at);
#pragma unroll
        for (int i = 0; i < W; ++i) {
            update.v[i] = fmaf(decay, p.v[i], scale * g.v[i]);
            if (a.momentum != 0) {
                buffer.v[i] = first ? update.v[i] : fmaf(a.momentum, buffer.v[i], update.v[i]);
                update.v[i] = a.nesterov ? fmaf(a.momentum, buffer.v[i], update.v[i]) : buffer.v[i];
            }
            p.v[i] = fmaf(-lr, update.v[i], p.v[i]);
        }
        if (a.momentum != 0) store_floats(a.moment1 + at, buffer);
        a.store(at, p);
    });
}

// beta2 is alpha.
template <class Half>
__global__ void __launch_bounds__(block_threads) rmsprop_kernel(StepArgs<Half> a) {
    const StepFactors& f = *a.factors;
    if (f.skip) return;
    const OptimChunk chunk = a.chunks[blockIdx.x];
    const float scale = f.gradient, lr = f.lr[chunk.group], decay = f.weight_decay[chunk.group];
    for_each_element(chunk, a.vectors, [&](int offset, auto width) {
        constexpr int W = decltype(width)::value;
        const int64_t at = chunk.begin + offset;
        const Floats<W> g = load_floats<W>(a.gradients + at);
        Floats<W> p = load_floats<W>(a.parameters + at), v = load_floats<W>(a.moment2 + at), buffer = {};
        if (a.momentum != 0) buffer = load_floats<W>(a.moment1 + at);
#pragma unroll
        for (int i = 0; i < W; ++i) {
            const float gradient = fmaf(decay, p.v[i], scale * g.v[i]);
            v.v[i] = fmaf(a.beta2, v.v[i], a.rest2 * gradient * gradient);
            buffer.v[i] = fmaf(a.momentum, buffer.v[i], gradient / (sqrtf(v.v[i]) + a.epsilon));
            p.v[i] = fmaf(-lr, buffer.v[i], p.v[i]);
        }
        if (a.momentum != 0) store_floats(a.moment1 + at, buffer);
        store_floats(a.moment2 + at, v);
        a.store(at, p);
    });
}

__global__ void __launch_bounds__(32) finish_step_kernel(FinishStepArgs a) {
    if (threadIdx.x == 0) advance(a);
}

// ---- launchers ----

void check_for_gpu(const Arena& a) { require(a.dtype == DType::f32, "optimizer: parameters on the GPU are f32"); }

StepFactors* factors_of(Queue& q, const Arena& arena, const StepState* state, double beta1, double beta2) {
    StepFactors* const factors = q.scratch<StepFactors>(1);
    FactorsArgs args{state, factors, {}, beta1, beta2};
    std::copy(std::begin(arena.groups), std::end(arena.groups), args.groups);
    launch(make_factors, dim3(1), dim3(32), 0, q.stream(), args);
    return factors;
}

template <class Half>
StepArgs<Half> step_args(const Arena& a, const StepFactors* factors) {
    StepArgs<Half> k{};
    k.parameters = static_cast<float*>(a.parameters), k.gradients = static_cast<const float*>(a.gradients);
    k.moment1 = static_cast<float*>(a.moment1), k.moment2 = static_cast<float*>(a.moment2);
    k.half = static_cast<Half*>(a.half), k.chunks = a.chunks, k.factors = factors;
    k.vectors = aligned(a.parameters, 16) && aligned(a.gradients, 16) && aligned(a.moment1, 16) &&
                aligned(a.moment2, 16) && aligned(a.half, 4 * sizeof(Half));
    return k;
}

// Launches `kernel<Half>` once a chunk, Half being the copy's type.
template <class F>
void with_half_type(const Arena& a, F f) {
    if (a.half && a.half_dtype == DType::f16) return f(f16{});
    f(bf16{});
}

}  // namespace

void grad_statistics(Queue& q, const GradStatisticsArgs& a) {
    check(a);
    check_for_gpu(a.arena);
    const float* const gradients = static_cast<const float*>(a.arena.gradients);
    const int64_t chunks = a.arena.chunk_count;
    const bool vectors = aligned(gradients, 16);
    ran(vectors ? "grad_statistics/vec4" : "grad_statistics/scalar");
    const NormArgs k{gradients, a.arena.chunks, q.scratch<double>(size_t(chunks)), chunks, vectors, a};
    if (chunks > 0) launch(sum_squares, dim3(unsigned(chunks)), dim3(norm_threads), 0, q.stream(), k);
    launch(finish_norm, dim3(1), dim3(block_threads), 0, q.stream(), k);
}

void sgd_step(Queue& q, const SgdArgs& a) {
    check(a);
    check_for_gpu(a.arena);
    if (a.arena.chunk_count == 0) return;
    const StepFactors* const factors = factors_of(q, a.arena, a.state, 0, 0);
    with_half_type(a.arena, [&](auto half) {
        auto k = step_args<decltype(half)>(a.arena, factors);
        k.momentum = float(a.momentum), k.nesterov = a.nesterov;
        ran(k.vectors ? "sgd_step/vec4" : "sgd_step/scalar");
        launch(sgd_kernel<decltype(half)>, dim3(unsigned(a.arena.chunk_count)), dim3(block_threads), 0, q.stream(), k);
    });
}

void adam_step(Queue& q, const AdamArgs& a) {
    check(a);
    check_for_gpu(a.arena);
    if (a.arena.chunk_count == 0) return;
    const StepFactors* const factors = factors_of(q, a.arena, a.state, a.beta1, a.beta2);
    with_half_type(a.arena, [&](auto half) {
        auto k = step_args<decltype(half)>(a.arena, factors);
        k.beta1 = float(a.beta1), k.rest1 = float(1 - a.beta1);
        k.beta2 = float(a.beta2), k.rest2 = float(1 - a.beta2);
        k.epsilon = float(a.epsilon), k.decoupled = a.decoupled;
        ran(k.vectors ? "adam_step/vec4" : "adam_step/scalar");
        launch(adam_kernel<decltype(half)>, dim3(unsigned(a.arena.chunk_count)), dim3(block_threads), 0, q.stream(), k);
    });
}

void rmsprop_step(Queue& q, const RmspropArgs& a) {
    check(a);
    check_for_gpu(a.arena);
    if (a.arena.chunk_count == 0) return;
    const StepFactors* const factors = factors_of(q, a.arena, a.state, 0, 0);
    with_half_type(a.arena, [&](auto half) {
        auto k = step_args<decltype(half)>(a.arena, factors);
        k.momentum = float(a.momentum);
        k.beta2 = float(a.alpha), k.rest2 = float(1 - a.alpha), k.epsilon = float(a.epsilon);
        ran(k.vectors ? "rmsprop_step/vec4" : "rmsprop_step/scalar");
        launch(rmsprop_kernel<decltype(half)>, dim3(unsigned(a.arena.chunk_count)), dim3(block_threads), 0, q.stream(),
               k);
    });
}

void finish_step(Queue& q, const FinishStepArgs& a) {
    check(a);
    ran("finish_step/one");
    launch(finish_step_kernel, dim3(1), dim3(32), 0, q.stream(), a);
}

}  // namespace atrous::kernels::cuda
