// Does what PyTorch's ReduceLROnPlateau does with mode "max" or "min" and its other defaults, but for a smallest change
// of the rate and for scores below 0: after more than `patience` epochs in a row without a better score the rate is
// multiplied with `factor`, from then on. Better means by more than 1e-4 of the best score's magnitude; PyTorch's
// best * (1 - 1e-4) lies above a best score below 0, so that an equal one would be better.
#pragma once

#include <cmath>

#include "engine/optim/schedule_rule.h"

namespace atrous {

class Plateau : public Copied<Plateau, ScheduleRule> {
 public:
    int64_t patience = 10;
    double factor = 0.1;

    std::string name() const override { return "plateau"; }
    void describe(Settings& s, const std::string& chosen) override {
        const auto used = [&chosen] { return chosen == "plateau"; };
        s.bind("patience", patience, "epochs without a better score that plateau lets pass")
            .min(0)
            .only_with("`schedule` plateau", used);
        s.bind("factor", factor, "factor of the learning rate at each drop of plateau")
            .above(0)
            .max(1)
            .only_with("`schedule` plateau", used);
    }
    double at(double base, int64_t, const TrainingLength&) const override { return base; }
    bool by_validation() const override { return true; }
    void see(ScheduleState& state, double score, bool higher_is_better) const override {
        constexpr double threshold = 1e-4;
        const double least = threshold * std::fabs(state.best);
        const bool better = higher_is_better ? score > state.best + least : score < state.best - least;
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
};

}  // namespace atrous
