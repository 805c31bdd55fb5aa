// Learning rate as a function of the step: a base, a linear warm-up, and a schedule (engine/optim/schedule_rule.h).
#pragma once

#include "engine/optim/schedule_rule.h"

namespace atrous {

struct Schedule {
    std::string name = "constant";
    double base = 1e-4;
    int64_t warmup_steps = 0;  // linear from base / warmup_steps to base
    TrainingLength length = {};
    OneOfEach<ScheduleRule> rules = {};  // the settings of each

    void set_length(int64_t epochs, int64_t steps_per_epoch);
    const ScheduleRule& rule() const { return rules.of(name); }
    // Returns the rate of the step-th step, from 0; the state matters where the schedule goes by the validation.
    double at(int64_t step, const ScheduleState& state = {}) const;
};

void describe(Settings& settings, Schedule& schedule);

}  // namespace atrous
