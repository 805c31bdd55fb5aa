#include "engine/optim/rmsprop.h"

#include "engine/context.h"

namespace atrous {

namespace k = kernels;

void Rmsprop::describe(Settings& s, const std::string& chosen) {
    s.bind("rms-alpha", alpha, "decay of the mean of squares in rmsprop")
        .min(0)
        .max(0.99999999)
        .only_with("`optimizer` rmsprop", [&chosen] { return chosen == "rmsprop"; });
}

std::vector<RuleState> Rmsprop::state(const Hyperparameters& h) const {
    const RuleState squares{"square_avg", "second moments"};
    if (h.momentum == 0) return {squares};
    return {{"momentum_buffer", "first moments"}, squares};
}

void Rmsprop::step(const UpdateStep& s) const {
    const Hyperparameters& h = s.hyperparameters;
    k::RmspropArgs args{s.arena, s.step, alpha, h.epsilon, h.momentum};
    if (h.momentum != 0) args.arena.moment1 = s.state.at(0).data();
    args.arena.moment2 = s.state.back().data();
    run(s.device, {k::reference::rmsprop_step, k::cpu::rmsprop_step, k::cuda::rmsprop_step}, args);
}

}  // namespace atrous
