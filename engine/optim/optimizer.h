// Optimizers over a net's flat arenas; update rules in kernels/optim.h. A step is three kernels and no host round trip.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/settings.h"
#include "engine/nn/module.h"
#include "kernels/optim.h"

namespace atrous {

using kernels::StepState;

enum class OptimizerKind { sgd, adam, adamw, rmsprop };
OptimizerKind parse_optimizer(const std::string& name);  // UsageError for an unknown name
const char* name_of(OptimizerKind kind);

struct OptimizerOptions {
    OptimizerKind kind = OptimizerKind::adam;
    double momentum = 0.9;  // SGD, RMSprop
    bool nesterov = false;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double alpha = 0.99;  // RMSprop: decay of the mean of squares
    double weight_decay = 0;
    bool decay_weights_only = false;  // biases and batch norm's parameters do not decay
    // Learning rates of parameters whose path begins so, relative to the others'; the first that fits counts. At
    // most 3.
    std::vector<std::pair<std::string, double>> lr_scales = {};
    double clip_norm = 0;  // 0: no clipping
    bool dynamic_loss_scale = false;
    float initial_loss_scale = 1;
    int growth_interval = 2000;      // good steps after which the loss scale doubles
    bool halt_at_nonfinite = false;  // after gradients that are not finite nothing is changed any more
};

void describe(Settings& settings, OptimizerOptions& options);  // all but the learning rates and the loss scale
void check(const OptimizerOptions& options);                   // UsageError for what does not go together

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
    const Tensor& moment1() const { return moment1_; }  // laid out as the parameter arena; undefined where unused
    const Tensor& moment2() const { return moment2_; }
    const OptimizerOptions& options() const { return options_; }

 private:
    kernels::Arena arena() const;

    Module& net_;
    OptimizerOptions options_;
    Tensor moment1_, moment2_, chunks_, state_;
    int64_t chunk_count_ = 0;
    double learning_rate_ = 0;
};

}  // namespace atrous
