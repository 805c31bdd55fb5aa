#include <cmath>

#include "engine/optim/schedules/schedules.h"

namespace atrous {

void Plateau::describe(Settings& s, const std::string& chosen) {
    const auto used = [&chosen] { return chosen == "plateau"; };
    s.bind("patience", patience, "epochs without a better score that plateau lets pass")
        .min(0)
        .only_with("`schedule` plateau", used);
    s.bind("factor", factor, "factor of the learning rate at each drop of plateau")
        .above(0)
        .max(1)
        .only_with("`schedule` plateau", used);
}

void Plateau::see(ScheduleState& state, double score, bool higher_is_better) const {
    constexpr double threshold = 1e-4;
    const bool better = higher_is_better ? score > state.best * (1 + threshold) : score < state.best * (1 - threshold);
    if (std::isfinite(score) && (!state.seen || better)) {
        state.best = score;
        state.waited = 0;
        state.seen = true;
        return;
    }
    if (++state.waited <= patience) return;
    state.factor *= factor;
    state.waited = 0;
}

}  // namespace atrous
