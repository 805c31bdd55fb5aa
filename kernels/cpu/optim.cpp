// Optimizer steps: chunks shared among threads, one fused pass over each.
#include "kernels/optim.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

template <class T>
T* at(void* array, int64_t offset) {
    return array ? static_cast<T*>(array) + offset : nullptr;
}

template <class F>
void parallel_chunks(const Queue& q, const Arena& a, F f) {
    parallel_each(q, a.chunk_count, a.count, [&](int64_t i) { f(i, a.chunks[i]); });
}

// Sum of squares of a chunk, in double: squares of large finite floats overflow.
template <class T>
double sum_of_squares(const T* g, int64_t count, bool& finite) {
    double sum = 0;
    int bad = 0;
#pragma omp simd reduction(+ : sum) reduction(| : bad)
    for (int64_t i = 0; i < count; ++i) {
        sum += double(g[i]) * double(g[i]);
        bad |= g[i] - g[i] == 0 ? 0 : 1;  // Inf - Inf and NaN are NaN
    }
    finite = bad == 0;
    return sum;
}

template <class H, class T>
void refresh_half(const T* p, H* half, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) half[i] = narrow<H>(p[i]);
}

// The chunk's new parameters are still in the cache.
template <class T>
void refresh_half(const Arena& a, const OptimChunk& chunk) {
    if (!a.half) return;
    const T* p = at<T>(a.parameters, chunk.begin);
    if (a.half_dtype == DType::bf16)
        refresh_half(p, at<bf16>(a.half, chunk.begin), chunk.count);
    else
        refresh_half(p, at<f16>(a.half, chunk.begin), chunk.count);
}

template <class T>
struct SgdScalars {
    T gradient_scale, weight_decay, lr, momentum;  // gradient_scale: clipping and loss scale in one
};

template <class T>
void plain_sgd(T* p, const T* grad, const SgdScalars<T>& k, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) p[i] -= k.lr * (k.gradient_scale * grad[i] + k.weight_decay * p[i]);
}

template <bool first_step, bool nesterov, class T>
void momentum_sgd(T* p, const T* grad, T* buffer, const SgdScalars<T>& k, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const T g = k.gradient_scale * grad[i] + k.weight_decay * p[i];
        T next = g;  // the first step does not read the buffer
        if constexpr (!first_step) next += k.momentum * buffer[i];
        buffer[i] = next;
        p[i] -= k.lr * (nesterov ? g + k.momentum * next : next);
    }
}

template <class T>
void sgd(const Queue& q, const SgdArgs& args) {
    const Arena& a = args.arena;
    const StepState& state = *args.state;
    parallel_chunks(q, a, [&](int64_t, const OptimChunk& chunk) {
        const OptimGroup& group = a.groups[chunk.group];
        const SgdScalars<T> k{T(state.clip_factor / state.loss_scale), T(group.weight_decay),
                              T(state.learning_rate * group.lr_scale), T(args.momentum)};
        T *p = at<T>(a.parameters, chunk.begin), *buffer = at<T>(a.moment1, chunk.begin);
        const T* grad = at<T>(a.gradients, chunk.begin);
        if (args.momentum == 0)
            plain_sgd(p, grad, k, chunk.count);
        else
            with_flag(state.step == 0, [&](auto first_step) {
                with_flag(args.nesterov,
                          [&](auto nesterov) { momentum_sgd<first_step, nesterov>(p, grad, buffer, k, chunk.count); });
            });
        refresh_half<T>(a, chunk);
    });
}

template <class T>
struct AdamScalars {
    T gradient_scale, weight_decay, keep;  // keep: what decoupled decay leaves of a parameter
    T beta1, rest1, beta2, rest2;
    T step_size, inverse_correction2, epsilon;
};

template <class T>
void adam_chunk(T* p, const T* grad, T* moment1, T* moment2, const AdamScalars<T>& scalars, int64_t count) {
    const AdamScalars<T> k = scalars;  // a copy no store can change
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const T g = k.gradient_scale * grad[i] + k.weight_decay * p[i];
        const T m = k.beta1 * moment1[i] + k.rest1 * g, v = k.beta2 * moment2[i] + k.rest2 * (g * g);
        moment1[i] = m;
        moment2[i] = v;
        p[i] = k.keep * p[i] - k.step_size * m / (std::sqrt(v) * k.inverse_correction2 + k.epsilon);
    }
}

template <class T>
void adam(const Queue& q, const AdamArgs& args) {
    const Arena& a = args.arena;
    const StepState& state = *args.state;
    const double t = double(state.step + 1);
    const double correction1 = 1 - std::pow(args.beta1, t), correction2 = 1 - std::pow(args.beta2, t);
    parallel_chunks(q, a, [&](int64_t, const OptimChunk& chunk) {
        const OptimGroup& group = a.groups[chunk.group];
        const double lr = state.learning_rate * group.lr_scale;
        const AdamScalars<T> k{T(state.clip_factor / state.loss_scale),
                               T(args.decoupled ? 0.0 : group.weight_decay),
                               T(args.decoupled ? 1 - lr * group.weight_decay : 1.0),
                               T(args.beta1),
                               T(1 - args.beta1),
                               T(args.beta2),
                               T(1 - args.beta2),
                               T(lr / correction1),
                               T(1 / std::sqrt(correction2)),
                               T(args.epsilon)};
        adam_chunk(at<T>(a.parameters, chunk.begin), at<T>(a.gradients, chunk.begin), at<T>(a.moment1, chunk.begin),
                   at<T>(a.moment2, chunk.begin), k, chunk.count);
        refresh_half<T>(a, chunk);
    });
}

template <class T>
struct RmspropScalars {
    T gradient_scale, weight_decay, lr, alpha, rest, epsilon, momentum;
};

template <bool with_momentum, class T>
void rmsprop_chunk(T* p, const T* grad, T* buffer, T* squares, const RmspropScalars<T>& scalars, int64_t count) {
    const RmspropScalars<T> k = scalars;  // a copy no store can change
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const T g = k.gradient_scale * grad[i] + k.weight_decay * p[i];
        const T v = k.alpha * squares[i] + k.rest * (g * g);
        squares[i] = v;
        T update = g / (std::sqrt(v) + k.epsilon);
        if constexpr (with_momentum) {
            update += k.momentum * buffer[i];
            buffer[i] = update;
        }
        p[i] -= k.lr * update;
    }
}

template <class T>
void rmsprop(const Queue& q, const RmspropArgs& args) {
    const Arena& a = args.arena;
    const StepState& state = *args.state;
    parallel_chunks(q, a, [&](int64_t, const OptimChunk& chunk) {
        const OptimGroup& group = a.groups[chunk.group];
        const RmspropScalars<T> k{T(state.clip_factor / state.loss_scale),
                                  T(group.weight_decay),
                                  T(state.learning_rate * group.lr_scale),
                                  T(args.alpha),
                                  T(1 - args.alpha),
                                  T(args.epsilon),
                                  T(args.momentum)};
        with_flag(args.momentum != 0, [&](auto momentum) {
            rmsprop_chunk<momentum>(at<T>(a.parameters, chunk.begin), at<T>(a.gradients, chunk.begin),
                                    at<T>(a.moment1, chunk.begin), at<T>(a.moment2, chunk.begin), k, chunk.count);
        });
        refresh_half<T>(a, chunk);
    });
}

}  // namespace

void grad_statistics(Queue& q, const GradStatisticsArgs& args) {
    check(args);
    ran("grad_statistics/omp");
    const Arena& a = args.arena;
    double* sums = q.scratch<double>(a.chunk_count);
    bool* finite = q.scratch<bool>(a.chunk_count);
    dispatch_exact("grad_statistics", a.dtype, [&](auto zero) {
        parallel_chunks(q, a, [&](int64_t i, const OptimChunk& chunk) {
            sums[i] = sum_of_squares(at<decltype(zero)>(a.gradients, chunk.begin), chunk.count, finite[i]);
        });
    });
    double sum = 0;
    bool all_finite = true;
    for (int64_t i = 0; i < a.chunk_count; ++i) {
        sum += sums[i];
        all_finite = all_finite && finite[i];
    }
    finish_statistics(args, std::sqrt(sum), all_finite);
}

void sgd_step(Queue& q, const SgdArgs& a) {
    check(a);
    ran("sgd_step/omp");
    if (a.state->found_nonfinite) return;
    dispatch_exact("sgd_step", a.arena.dtype, [&](auto zero) { sgd<decltype(zero)>(q, a); });
}

void adam_step(Queue& q, const AdamArgs& a) {
    check(a);
    ran("adam_step/omp");
    if (a.state->found_nonfinite) return;
    dispatch_exact("adam_step", a.arena.dtype, [&](auto zero) { adam<decltype(zero)>(q, a); });
}

void rmsprop_step(Queue& q, const RmspropArgs& a) {
    check(a);
    ran("rmsprop_step/omp");
    if (a.state->found_nonfinite) return;
    dispatch_exact("rmsprop_step", a.arena.dtype, [&](auto zero) { rmsprop<decltype(zero)>(q, a); });
}

void finish_step(Queue&, const FinishStepArgs& a) {
    check(a);
    ran("finish_step/omp");
    advance(a);
}

}  // namespace atrous::kernels::cpu
