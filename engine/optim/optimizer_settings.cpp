// The settings of optimizers: those of every update rule, and those that rules share, each once.
#include <algorithm>

#include "engine/optim/optimizer.h"

namespace atrous {

static std::vector<std::string> users_of(Hyperparameter wanted) {
    std::vector<std::string> names;
    for (const auto& rule : UpdateRule::catalogue().all()) {
        const std::vector<Hyperparameter> used = rule->uses();
        if (std::find(used.begin(), used.end(), wanted) != used.end()) names.push_back(rule->name());
    }
    return names;
}

static Setting<double>& bind_shared(Settings& s, Hyperparameters& h, Hyperparameter which, const std::string& users) {
    switch (which) {
        case Hyperparameter::momentum:
            return s.bind("momentum", h.momentum, "momentum of " + users).min(0).max(1);
        case Hyperparameter::beta1:
            return s.bind("beta1", h.beta1, "decay of the mean of gradients in " + users).min(0).max(0.999999);
        case Hyperparameter::beta2:
            return s.bind("beta2", h.beta2, "decay of the mean of squares in " + users).min(0).max(0.99999999);
        case Hyperparameter::epsilon:
            break;
    }
    return s.bind("eps", h.epsilon, "term added to the root of the mean of squares in " + users).above(0);
}

// Where the first rule that uses it stands.
static void describe_shared(Settings& s, OptimizerOptions& o, Hyperparameter which) {
    const std::vector<std::string> users = users_of(which);
    bind_shared(s, o.hyperparameters, which, enumeration(users))
        .only_with("`optimizer` " + alternatives(users),
                   [&o, users] { return std::find(users.begin(), users.end(), o.rule) != users.end(); });
}

void describe(Settings& s, OptimizerOptions& o) {
    s.bind("optimizer", o.rule, "update rule").one_of(UpdateRule::catalogue().names()).when_resumed(Resume::fixed);
    std::vector<Hyperparameter> described;
    for (const auto& rule : UpdateRule::catalogue().all()) {
        for (const Hyperparameter h : rule->uses()) {
            if (std::find(described.begin(), described.end(), h) != described.end()) continue;
            describe_shared(s, o, h);
            described.push_back(h);
        }
        o.rules.of(rule->name()).describe(s, o.rule);
    }
    s.bind("weight-decay", o.weight_decay, "weight decay").min(0);
    s.bind("decay-weights-only", o.decay_weights_only, "biases and batch norm do not decay");
    s.bind("clip-norm", o.clip_norm, "largest norm of the gradient; 0: no clipping").min(0);
    s.bind("ema", o.ema_decay,
           "decay of a moving average of the weights, which validations, best.safetensors and predictions then use, "
           "such as 0.999; 0: none")
        .min(0)
        .max(0.99999);  // averages are f32, in which a change below 2^-25 of the average is lost
}

void check(const OptimizerOptions& o) {
    for (const auto& rule : UpdateRule::catalogue().all())
        o.rules.of(rule->name()).check(o.hyperparameters, rule->name() == o.rule);
}

}  // namespace atrous
