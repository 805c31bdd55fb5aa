#include <cmath>

#include "engine/optim/schedules/schedules.h"

namespace atrous {

void PolyDecay::describe(Settings& s, const std::string& chosen) {
    s.bind("poly-power", power, "exponent of poly: (1 - step/steps) to this")
        .above(0)
        .only_with("`schedule` poly", [&chosen] { return chosen == "poly"; });
}

double PolyDecay::at(double base, int64_t step, const TrainingLength& length) const {
    return base * std::pow(1 - length.done(step), power);
}

}  // namespace atrous
