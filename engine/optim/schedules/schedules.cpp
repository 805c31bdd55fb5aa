// The schedules there are: `schedule`'s words, in this order.
#include "engine/optim/schedules/constant.h"
#include "engine/optim/schedules/cosine.h"
#include "engine/optim/schedules/multi_step.h"
#include "engine/optim/schedules/one_cycle.h"
#include "engine/optim/schedules/plateau.h"
#include "engine/optim/schedules/poly.h"
#include "engine/optim/schedules/step.h"

namespace atrous {

Catalogue<ScheduleRule>& ScheduleRule::catalogue() {
    // clang-format off
    static Catalogue<ScheduleRule> schedules("schedule",
        ConstantRate(),
        StepDecay(),
        MultiStep(),
        PolyDecay(),
        CosineDecay(),
        OneCycle(),
        Plateau());
    // clang-format on
    return schedules;
}

}  // namespace atrous
