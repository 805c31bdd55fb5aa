// base * factor^(milestones reached), a milestone being an epoch, as PyTorch's MultiStepLR has it.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "engine/optim/schedule_rule.h"

namespace atrous {

class MultiStep : public Copied<MultiStep, ScheduleRule> {
 public:
    std::vector<int64_t> milestones = {};
    double factor = 0.1;

    std::string name() const override { return "multi-step"; }
    void describe(Settings& s, const std::string& chosen) override {
        const auto used = [&chosen] { return chosen == "multi-step"; };
        s.bind("milestones", milestones, "epochs after which the learning rate of multi-step drops")
            .min(1)
            .only_with("`schedule` multi-step", used);
        s.bind("milestone-factor", factor, "factor of the learning rate at each of the milestones")
            .above(0)
            .max(1)
            .only_with("`schedule` multi-step", used);
    }
    void check() const override {
        if (milestones.empty())
            throw UsageError("`schedule` multi-step: expected the epochs of its drops, such as `milestones` 30 45");
    }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        if (length.steps_per_epoch <= 0) return base;
        const int64_t epoch = step / length.steps_per_epoch;
        const auto reached = std::count_if(milestones.begin(), milestones.end(), [&](int64_t m) { return m <= epoch; });
        return base * std::pow(factor, double(reached));
    }
};

}  // namespace atrous
