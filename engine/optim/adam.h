// Adam, and AdamW, which decays weights apart from the gradient; formulas at kernels::AdamArgs.
#pragma once

#include "engine/optim/update_rule.h"

namespace atrous {

class Adam : public Copied<Adam, UpdateRule> {
 public:
    std::string name() const override { return "adam"; }
    std::vector<Hyperparameter> uses() const override {
        return {Hyperparameter::beta1, Hyperparameter::beta2, Hyperparameter::epsilon};
    }
    std::vector<RuleState> state(const Hyperparameters& h) const override;
    void step(const UpdateStep& s) const override;
};

class AdamW : public Copied<AdamW, UpdateRule, Adam> {
 public:
    std::string name() const override { return "adamw"; }
    void step(const UpdateStep& s) const override;
};

}  // namespace atrous
