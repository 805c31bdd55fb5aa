// Stochastic gradient descent, with momentum or without; formula at kernels::SgdArgs.
#pragma once

#include "engine/optim/update_rule.h"

namespace atrous {

class Sgd : public Copied<Sgd, UpdateRule> {
 public:
    bool nesterov = false;

    std::string name() const override { return "sgd"; }
    std::vector<Hyperparameter> uses() const override { return {Hyperparameter::momentum}; }
    void describe(Settings& settings, const std::string& chosen) override;
    void check(const Hyperparameters& h, bool chosen) const override;
    std::vector<RuleState> state(const Hyperparameters& h) const override;
    void step(const UpdateStep& s) const override;
};

}  // namespace atrous
