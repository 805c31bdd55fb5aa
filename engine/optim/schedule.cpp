#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"

namespace atrous {

double Schedule::at(int64_t step) const {
    if (step < warmup_steps) return base * double(step + 1) / double(warmup_steps);
    const double progress = total_steps > 0 ? std::min(1.0, double(step) / double(total_steps)) : 0;
    switch (kind) {
        case Kind::constant:
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

Schedule::Kind parse_schedule(const std::string& name) {
    if (name == "constant") return Schedule::Kind::constant;
    if (name == "step") return Schedule::Kind::step;
    if (name == "poly") return Schedule::Kind::poly;
    if (name == "cosine") return Schedule::Kind::cosine;
    throw UsageError("schedule '" + name + "' is unknown; expected constant, step, poly or cosine");
}

}  // namespace atrous
