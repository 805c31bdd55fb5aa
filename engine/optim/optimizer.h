// Optimizers change a net's flat arenas by an update rule (engine/optim/update_rule.h). A step is three kernels without
// a round trip to the host: statistics of the gradients, the rule's, and bookkeeping; with a moving average of the
// weights a fourth.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/settings.h"
#include "engine/nn/module.h"
#include "engine/optim/update_rule.h"
#include "engine/optim/weight_average.h"
#include "kernels/optim.h"

namespace atrous {

using kernels::StepState;

struct OptimizerOptions {
    std::string rule = "adam";
    OneOfEach<UpdateRule> rules = {};  // the settings of each
    Hyperparameters hyperparameters = {};
    double weight_decay = 0;
    bool decay_weights_only = false;  // biases and batch norm's parameters do not decay
    // Learning-rate multipliers by path prefix, at most 3; the first match wins.
    std::vector<std::pair<std::string, double>> lr_scales = {};
    double clip_norm = 0;  // 0: no clipping
    bool dynamic_loss_scale = false;
    float initial_loss_scale = 1;
    int growth_interval = 2000;      // good steps after which the loss scale doubles
    bool halt_at_nonfinite = false;  // after gradients that are not finite nothing is changed any more
    double ema_decay = 0;            // of the weights' moving average (weight_average.h); 0: none is kept
    bool keeps_mean = false;         // room for a mean of weights, to which whoever trains adds; not with ema_decay
};

// Describes the choice of the rule, the settings of every rule, and the rest but the learning rates and the loss scale.
void describe(Settings& settings, OptimizerOptions& options);
void check(const OptimizerOptions& options);  // UsageError for what does not go together

class Optimizer {
 public:
    // The net must be materialized and outlive the optimizer.
    Optimizer(Module& net, const OptimizerOptions& options);

    void step(double learning_rate);  // applies the gradients in the arena
    void step();                      // with the learning rate that the state holds: a recorded step's is set anew
    double* learning_rate();          // the state's, on the net's device
    Tensor loss_scale() const;        // f32 [1], the one in the state: a seed of backward passes
    const StepState* device_state() const;  // on the net's device
    StepState state() const;                // waits for the device
    void set_state(const StepState& state);
    const OptimizerOptions& options() const { return options_; }
    // The names of the rule's state tensors, in its order; each is laid out as the parameter arena.
    const std::vector<RuleState>& rule_states() const { return rule_states_; }
    const std::vector<Tensor>& state_tensors() const { return state_tensors_; }
    WeightAverage* average() const;  // null: none is kept, or a mean is of nothing yet
    WeightAverage* mean() const;     // null: none is kept

 private:
    const UpdateRule& rule() const;
    kernels::Arena arena() const;  // without moments
    void apply();

    Module& net_;
    OptimizerOptions options_;
    std::vector<RuleState> rule_states_;
    std::vector<Tensor> state_tensors_;
    std::unique_ptr<WeightAverage> average_;
    Tensor chunks_, state_;
    int64_t chunk_count_ = 0;
    double learning_rate_ = 0;
};

}  // namespace atrous
