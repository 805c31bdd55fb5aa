// base * (1 - t/T)^power (Chen et al., DeepLab).
#pragma once

#include <cmath>

#include "engine/optim/schedule_rule.h"

namespace atrous {

class PolyDecay : public Copied<PolyDecay, ScheduleRule> {
 public:
    double power = 0.9;

    std::string name() const override { return "poly"; }
    void describe(Settings& s, const std::string& chosen) override {
        s.bind("poly-power", power, "exponent of poly: (1 - step/steps) to this")
            .above(0)
            .only_with("`schedule` poly", [&chosen] { return chosen == "poly"; });
    }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        return base * std::pow(1 - length.done(step), power);
    }
};

}  // namespace atrous
