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

Schedule::Kind parse_schedule(const std::string& name) {
    if (name == "constant") return Schedule::Kind::constant;
    if (name == "step") return Schedule::Kind::step;
    if (name == "poly") return Schedule::Kind::poly;
    if (name == "cosine") return Schedule::Kind::cosine;
    if (name == "plateau") return Schedule::Kind::plateau;
    throw UsageError("schedule '" + name + "' is unknown; expected constant, step, poly, cosine or plateau");
}

}  // namespace atrous
