#include "engine/optim/sgd.h"

#include "engine/context.h"

namespace atrous {

namespace k = kernels;

void Sgd::describe(Settings& s, const std::string&) { s.bind("nesterov", nesterov, "Nesterov's momentum in sgd"); }

void Sgd::check(const Hyperparameters& h, bool chosen) const {
    if (nesterov && (!chosen || h.momentum == 0))
        throw UsageError("`nesterov`: expected `optimizer` sgd and a `momentum` above 0");
}

std::vector<RuleState> Sgd::state(const Hyperparameters& h) const {
    if (h.momentum == 0) return {};
    return {{"momentum_buffer", "first moments"}};
}

void Sgd::step(const UpdateStep& s) const {
    k::SgdArgs args{s.arena, s.step, s.hyperparameters.momentum, nesterov};
    if (!s.state.empty()) args.arena.moment1 = s.state[0].data();
    run(s.device, {k::reference::sgd_step, k::cpu::sgd_step, k::cuda::sgd_step}, args);
}

}  // namespace atrous
