// RMSprop, with momentum or without, not centered; formula at kernels::RmspropArgs.
#pragma once

#include "engine/optim/update_rule.h"

namespace atrous {

class Rmsprop : public Copied<Rmsprop, UpdateRule> {
 public:
    double alpha = 0.99;  // decay of the mean of squares

    std::string name() const override { return "rmsprop"; }
    std::vector<Hyperparameter> uses() const override { return {Hyperparameter::momentum, Hyperparameter::epsilon}; }
    void describe(Settings& settings, const std::string& chosen) override;
    std::vector<RuleState> state(const Hyperparameters& h) const override;
    void step(const UpdateStep& s) const override;
};

}  // namespace atrous
