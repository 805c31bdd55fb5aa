// An optimizer: signSGD with momentum, p -= lr * sign(m) with m = momentum * m + (1 - momentum) * g (Bernstein et al.
// 2018), with a momentum of its own and a plain loop on the cpu.
#include "engine/optim/host_update.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

namespace {

class SignDescent : public Copied<SignDescent, UpdateRule> {
 public:
    std::string name() const override { return "sign"; }
    void describe(Settings& s, const std::string& chosen) override {
        s.bind("sign-momentum", momentum_, "momentum of sign").min(0).max(1).only_with("`optimizer` sign", [&chosen] {
            return chosen == "sign";
        });
    }
    std::vector<RuleState> state(const Hyperparameters&) const override { return {{"mean", "mean of gradients"}}; }
    void step(const UpdateStep& s) const override {
        update_on_host(s, name(), [this](HostElement& e) {
            const double g = e.gradient + e.weight_decay * e.value;
            e.state[0] = momentum_ * e.state[0] + (1 - momentum_) * g;
            e.value -= e.learning_rate * double((e.state[0] > 0) - (e.state[0] < 0));
        });
    }

 private:
    double momentum_ = 0.9;
};

}  // namespace

void add_sign_descent() { add_update_rule(SignDescent()); }

}  // namespace atrous::extending
