// An update rule says what an optimizer does with each gradient: its name, its settings, the state it keeps for each
// parameter with its name in checkpoints, and its step. A rule is one file; engine/optim/update_rules.cpp lists those
// of this tree, and add_update_rule() adds one from outside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/catalogue.h"
#include "base/settings.h"
#include "engine/tensor.h"
#include "kernels/optim.h"

namespace atrous {

// Settings that several rules have. Each is described once, with the names of the rules that use it.
struct Hyperparameters {
    double momentum = 0.9;
    double beta1 = 0.9, beta2 = 0.999;  // decay of the means of gradients and of squares
    double epsilon = 1e-8;
};
enum class Hyperparameter { momentum, beta1, beta2, epsilon };

// A rule's state has one element for each of the parameters'.
struct RuleState {
    std::string name;   // in checkpoints, PyTorch's where it has the rule: "exp_avg"
    std::string title;  // in tables of memory: "first moments"
};

struct UpdateStep {
    Device device;
    kernels::Arena arena;              // moments are the rule's to fill in
    const kernels::StepState* step;    // on the device
    const std::vector<Tensor>& state;  // as the rule listed it, laid out as the arena; zeros before the first step
    const Hyperparameters& hyperparameters;
};

class UpdateRule {
 public:
    virtual ~UpdateRule() = default;
    virtual std::string name() const = 0;
    virtual std::vector<Hyperparameter> uses() const { return {}; }
    // Describes its own settings; `chosen` is the name of the rule in use, wherever that is decided.
    virtual void describe(Settings&, const std::string& /*chosen*/) {}
    // UsageError for what does not go together, also where another rule is chosen.
    virtual void check(const Hyperparameters&, bool /*chosen*/) const {}
    virtual std::vector<RuleState> state(const Hyperparameters&) const { return {}; }
    // Changes the parameters of the arena's chunks, and their half-precision copies, unless the step's found_nonfinite
    // is set. Kernels run through `run`, also on device meta; a rule without kernels uses engine/optim/host_update.h.
    virtual void step(const UpdateStep&) const = 0;
    virtual std::unique_ptr<UpdateRule> copy() const = 0;

    static Catalogue<UpdateRule>& catalogue();
};

// Must be called before there are threads; throws Error where the name is taken.
template <class Rule>
void add_update_rule(const Rule& rule) {
    UpdateRule::catalogue().add(rule);
}

}  // namespace atrous
