#include "engine/optim/schedule.h"

#include <algorithm>

namespace atrous {

double TrainingLength::done(int64_t step) const {
    return total_steps > 0 ? std::min(1.0, double(step) / double(total_steps)) : 0;
}

void Schedule::set_length(int64_t epochs, int64_t steps_per_epoch) {
    length = {epochs * steps_per_epoch, steps_per_epoch};
}

double Schedule::at(int64_t step, const ScheduleState& state) const {
    const double rate =
        step < warmup_steps ? base * double(step + 1) / double(warmup_steps) : rule().at(base, step, length);
    return rule().by_validation() ? rate * state.factor : rate;
}

void describe(Settings& s, Schedule& schedule) {
    s.bind("lr", schedule.base, "learning rate").above(0);
    s.bind("schedule", schedule.name, "learning rate over time; plateau: lower where `monitor` no longer improves")
        .one_of(ScheduleRule::catalogue().names());
    s.bind("warmup-steps", schedule.warmup_steps, "steps of linear warm-up").min(0);
    for (const auto& rule : ScheduleRule::catalogue().all()) schedule.rules.of(rule->name()).describe(s, schedule.name);
}

}  // namespace atrous
