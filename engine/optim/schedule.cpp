#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atrous {

double Schedule::at(int64_t step) const {
    if (step < warmup_steps) return base * double(step + 1) / double(warmup_steps);
    const double progress = total_steps > 0 ? std::min(1.0, double(step) / double(total_steps)) : 0;
    switch (kind) {
        case Kind::constant:
        case Kind::plateau:
            return base;
        case Kind::step:
            return step_every > 0 ? base * std::pow(step_factor, double(step / step_every)) : base;
        case Kind::poly:
            return base * std::pow(1 - progress, poly_power);
        case Kind::cosine:
            return base * 0.5 * (1 + std::cos(3.141592653589793 * progress));
    }
    return base;
}

void Plateau::see(double score, bool higher_is_better, const Schedule& schedule) {
    constexpr double threshold = 1e-4;
    const bool better = higher_is_better ? score > best * (1 + threshold) : score < best * (1 - threshold);
    if (std::isfinite(score) && (!seen || better)) {
        best = score;
        waited = 0;
        seen = true;
        return;
    }
    if (++waited <= schedule.patience) return;
    factor *= schedule.plateau_factor;
    waited = 0;
}

void Schedule::set_length(int64_t epochs, int64_t steps_per_epoch) {
    total_steps = epochs * steps_per_epoch;
    step_every = step_epochs * steps_per_epoch;
}

void describe(Settings& s, Schedule& schedule) {
    using Kind = Schedule::Kind;
    const auto is = [&schedule](Kind kind) { return [&schedule, kind] { return schedule.kind == kind; }; };
    s.bind("lr", schedule.base, "learning rate").above(0);
    s.choice<Kind>("schedule", schedule.kind,
                   {{"constant", Kind::constant},
                    {"step", Kind::step},
                    {"poly", Kind::poly},
                    {"cosine", Kind::cosine},
                    {"plateau", Kind::plateau}},
                   "learning rate over time; plateau: lower where `monitor` no longer improves");
    s.bind("warmup-steps", schedule.warmup_steps, "steps of linear warm-up").min(0);
    s.bind("patience", schedule.patience, "epochs without a better score that plateau lets pass")
        .min(0)
        .only_with("`schedule` plateau", is(Kind::plateau));
    s.bind("factor", schedule.plateau_factor, "factor of the learning rate at each drop of plateau")
        .above(0)
        .max(1)
        .only_with("`schedule` plateau", is(Kind::plateau));
    s.bind("step-epochs", schedule.step_epochs, "epochs between the drops of schedule step")
        .min(1)
        .only_with("`schedule` step", is(Kind::step));
    s.bind("step-factor", schedule.step_factor, "factor of the learning rate at each drop of step")
        .above(0)
        .max(1)
        .only_with("`schedule` step", is(Kind::step));
    s.bind("poly-power", schedule.poly_power, "exponent of poly: (1 - step/steps) to this")
        .above(0)
        .only_with("`schedule` poly", is(Kind::poly));
}

}  // namespace atrous
