#include <cmath>

#include "engine/optim/schedules/schedules.h"

namespace atrous {

double CosineDecay::at(double base, int64_t step, const TrainingLength& length) const {
    return base * 0.5 * (1 + std::cos(3.141592653589793 * length.done(step)));
}

}  // namespace atrous
