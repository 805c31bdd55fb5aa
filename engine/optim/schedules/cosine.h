// base * (1 + cos(pi t/T)) / 2.
#pragma once

#include <cmath>

#include "engine/optim/schedule_rule.h"

namespace atrous {

class CosineDecay : public Copied<CosineDecay, ScheduleRule> {
 public:
    std::string name() const override { return "cosine"; }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        return base * 0.5 * (1 + std::cos(3.141592653589793 * length.done(step)));
    }
};

}  // namespace atrous
