// An update rule's step as a plain loop on the cpu, for rules that have no kernels: in double, rounded once per stored
// value.
#pragma once

#include "base/half.h"
#include "engine/optim/update_rule.h"

namespace atrous {

inline constexpr size_t max_rule_states = 4;

// One element of the parameters.
struct HostElement {
    double value;                        // in and out
    double gradient;                     // unscaled and clipped, without weight decay
    double learning_rate, weight_decay;  // of its group
    double state[max_rule_states];       // in and out, as the rule listed them
};

template <class T, class F>
void update_elements(const UpdateStep& s, const F& f) {
    const kernels::Arena& a = s.arena;
    T* const values = static_cast<T*>(a.parameters);
    for (const auto* chunk = a.chunks; chunk != a.chunks + a.chunk_count; ++chunk)
        for (int64_t i = chunk->begin; i < chunk->begin + chunk->count; ++i) {
            const kernels::OptimGroup& group = a.groups[chunk->group];
            HostElement e{double(values[i]),
                          s.step->clip_factor * double(static_cast<const T*>(a.gradients)[i]) / s.step->loss_scale,
                          s.step->learning_rate * group.lr_scale,
                          group.weight_decay,
                          {}};
            for (size_t k = 0; k < s.state.size(); ++k) e.state[k] = double(s.state[k].as<T>()[i]);
            f(e);
            values[i] = T(e.value);
            for (size_t k = 0; k < s.state.size(); ++k) s.state[k].as<T>()[i] = T(e.state[k]);
            if (a.half && a.half_dtype == DType::bf16) static_cast<bf16*>(a.half)[i] = round_to<bf16>(values[i]);
            if (a.half && a.half_dtype == DType::f16) static_cast<f16*>(a.half)[i] = round_to<f16>(values[i]);
        }
}

// Calls f(HostElement&) for every element that is trained, unless a gradient is not finite. UsageError on a GPU.
template <class F>
void update_on_host(const UpdateStep& s, const std::string& rule, const F& f) {
    require(s.state.size() <= max_rule_states, "update_on_host: too many tensors of state");
    if (s.device.kind == DeviceKind::meta) return;
    if (s.device.kind == DeviceKind::gpu)
        throw UsageError("`optimizer` " + rule + " runs on the cpu alone; choose `device` cpu");
    if (s.step->found_nonfinite) return;
    s.arena.dtype == DType::f64 ? update_elements<double>(s, f) : update_elements<float>(s, f);
}

}  // namespace atrous
