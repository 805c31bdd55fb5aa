#pragma once

#include "engine/optim/schedule_rule.h"

namespace atrous {

class ConstantRate : public Copied<ConstantRate, ScheduleRule> {
 public:
    std::string name() const override { return "constant"; }
    double at(double base, int64_t, const TrainingLength&) const override { return base; }
};

}  // namespace atrous
