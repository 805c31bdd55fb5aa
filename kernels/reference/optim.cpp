// Optimizer steps by their definitions, in double, rounded once per stored value.
#include "kernels/optim.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// f(index, group) for every parameter.
template <class F>
void for_each_parameter(const Arena& a, F f) {
    for (int64_t chunk = 0; chunk < a.chunk_count; ++chunk)
        for (int64_t i = 0; i < a.chunks[chunk].count; ++i)
            f(a.chunks[chunk].begin + i, a.groups[a.chunks[chunk].group]);
}

template <class T>
void set_parameter(const Arena& a, int64_t i, double value) {
    T& p = static_cast<T*>(a.parameters)[i];
    p = T(value);
    if (!a.half) return;
    if (a.half_dtype == DType::bf16)
        static_cast<bf16*>(a.half)[i] = round_to<bf16>(p);
    else
        static_cast<f16*>(a.half)[i] = round_to<f16>(p);
}

template <class T>
double gradient(const Arena& a, const StepState& state, int64_t i) {
    return state.clip_factor * static_cast<const T*>(a.gradients)[i] / state.loss_scale;
}

template <class T>
void sgd(const SgdArgs& args) {
    const Arena& a = args.arena;
    T* buffers = static_cast<T*>(a.moment1);
    for_each_parameter(a, [&](int64_t i, const OptimGroup& group) {
        const double p = static_cast<const T*>(a.parameters)[i];
        double update = gradient<T>(a, *args.state, i) + group.weight_decay * p;
        if (args.momentum != 0) {
            const double buffer = args.state->step == 0 ? update : args.momentum * buffers[i] + update;
            buffers[i] = T(buffer);
            update = args.nesterov ? update + args.momentum * buffer : buffer;
        }
        set_parameter<T>(a, i, p - args.state->learning_rate * group.lr_scale * update);
    });
}

template <class T>
void adam(const AdamArgs& args) {
    const Arena& a = args.arena;
    const double t = double(args.state->step + 1);
    const double correction1 = 1 - std::pow(args.beta1, t), correction2 = 1 - std::pow(args.beta2, t);
    for_each_parameter(a, [&](int64_t i, const OptimGroup& group) {
        T &moment1 = static_cast<T*>(a.moment1)[i], &moment2 = static_cast<T*>(a.moment2)[i];
        const double lr = args.state->learning_rate * group.lr_scale;
        double p = static_cast<const T*>(a.parameters)[i];
        double g = gradient<T>(a, *args.state, i);
        if (args.decoupled)
            p *= 1 - lr * group.weight_decay;
        else
            g += group.weight_decay * p;
        const double m = args.beta1 * moment1 + (1 - args.beta1) * g;
        const double v = args.beta2 * moment2 + (1 - args.beta2) * g * g;
        moment1 = T(m);
        moment2 = T(v);
        p -= lr / correction1 * m / (std::sqrt(v) / std::sqrt(correction2) + args.epsilon);
        set_parameter<T>(a, i, p);
    });
}

template <class T>
void rmsprop(const RmspropArgs& args) {
    const Arena& a = args.arena;
    T *buffers = static_cast<T*>(a.moment1), *squares = static_cast<T*>(a.moment2);
    for_each_parameter(a, [&](int64_t i, const OptimGroup& group) {
        const double p = static_cast<const T*>(a.parameters)[i];
        const double g = gradient<T>(a, *args.state, i) + group.weight_decay * p;
        const double v = args.alpha * squares[i] + (1 - args.alpha) * g * g;
        squares[i] = T(v);
        double update = g / (std::sqrt(v) + args.epsilon);
        if (args.momentum != 0) {
            update += args.momentum * buffers[i];
            buffers[i] = T(update);
        }
        set_parameter<T>(a, i, p - args.state->learning_rate * group.lr_scale * update);
    });
}

}  // namespace

void grad_statistics(Queue&, const GradStatisticsArgs& a) {
    check(a);
    ran("grad_statistics/reference");
    double sum = 0;
    bool finite = true;
    dispatch_exact("grad_statistics", a.arena.dtype, [&](auto zero) {
        for_each_parameter(a.arena, [&](int64_t i, const OptimGroup&) {
            const double g = static_cast<const decltype(zero)*>(a.arena.gradients)[i];
            sum += g * g;
            finite = finite && std::isfinite(g);
        });
    });
    finish_statistics(a, std::sqrt(sum), finite);
}

void sgd_step(Queue&, const SgdArgs& a) {
    check(a);
    ran("sgd_step/reference");
    if (a.state->found_nonfinite) return;
    dispatch_exact("sgd_step", a.arena.dtype, [&](auto zero) { sgd<decltype(zero)>(a); });
}

void adam_step(Queue&, const AdamArgs& a) {
    check(a);
    ran("adam_step/reference");
    if (a.state->found_nonfinite) return;
    dispatch_exact("adam_step", a.arena.dtype, [&](auto zero) { adam<decltype(zero)>(a); });
}

void rmsprop_step(Queue&, const RmspropArgs& a) {
    check(a);
    ran("rmsprop_step/reference");
    if (a.state->found_nonfinite) return;
    dispatch_exact("rmsprop_step", a.arena.dtype, [&](auto zero) { rmsprop<decltype(zero)>(a); });
}

void finish_step(Queue&, const FinishStepArgs& a) {
    check(a);
    ran("finish_step/reference");
    advance(a);
}

}  // namespace atrous::kernels::reference
