// base * factor^(drops so far), a drop every so many epochs.
#pragma once

#include <cmath>

#include "engine/optim/schedule_rule.h"

namespace atrous {

class StepDecay : public Copied<StepDecay, ScheduleRule> {
 public:
    int64_t epochs = 10;
    double factor = 0.1;

    std::string name() const override { return "step"; }
    void describe(Settings& s, const std::string& chosen) override {
        const auto used = [&chosen] { return chosen == "step"; };
        s.bind("step-epochs", epochs, "epochs between the drops of schedule step")
            .min(1)
            .only_with("`schedule` step", used);
        s.bind("step-factor", factor, "factor of the learning rate at each drop of step")
            .above(0)
            .max(1)
            .only_with("`schedule` step", used);
    }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        const int64_t every = epochs * length.steps_per_epoch;
        return every > 0 ? base * std::pow(factor, double(step / every)) : base;
    }
};

}  // namespace atrous
