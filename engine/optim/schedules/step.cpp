#include <cmath>

#include "engine/optim/schedules/schedules.h"

namespace atrous {

void StepDecay::describe(Settings& s, const std::string& chosen) {
    const auto used = [&chosen] { return chosen == "step"; };
    s.bind("step-epochs", epochs, "epochs between the drops of schedule step")
        .min(1)
        .only_with("`schedule` step", used);
    s.bind("step-factor", factor, "factor of the learning rate at each drop of step")
        .above(0)
        .max(1)
        .only_with("`schedule` step", used);
}

double StepDecay::at(double base, int64_t step, const TrainingLength& length) const {
    const int64_t every = epochs * length.steps_per_epoch;
    return every > 0 ? base * std::pow(factor, double(step / every)) : base;
}

}  // namespace atrous
