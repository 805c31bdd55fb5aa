// The schedules there are: `schedule`'s words, in this order.
#include "engine/optim/schedules/schedules.h"

namespace atrous {

Catalogue<ScheduleRule>& ScheduleRule::catalogue() {
    // clang-format off
    static Catalogue<ScheduleRule> schedules("schedule",
        ConstantRate(),
        StepDecay(),
        PolyDecay(),
        CosineDecay(),
        Plateau());
    // clang-format on
    return schedules;
}

}  // namespace atrous
