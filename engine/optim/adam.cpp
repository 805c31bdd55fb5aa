#include "engine/optim/adam.h"

#include "engine/context.h"

namespace atrous {

namespace k = kernels;

std::vector<RuleState> Adam::state(const Hyperparameters&) const {
    return {{"exp_avg", "first moments"}, {"exp_avg_sq", "second moments"}};
}

static void adam_step(const UpdateStep& s, bool decoupled) {
    const Hyperparameters& h = s.hyperparameters;
    k::AdamArgs args{s.arena, s.step, h.beta1, h.beta2, h.epsilon, decoupled};
    args.arena.moment1 = s.state.at(0).data();
    args.arena.moment2 = s.state.at(1).data();
    run(s.device, {k::reference::adam_step, k::cpu::adam_step, k::cuda::adam_step}, args);
}

void Adam::step(const UpdateStep& s) const { adam_step(s, false); }
void AdamW::step(const UpdateStep& s) const { adam_step(s, true); }

}  // namespace atrous
