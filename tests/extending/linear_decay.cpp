// A schedule: from the base in a line to a part of it.
#include "engine/optim/schedule_rule.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

namespace {

class LinearDecay : public Copied<LinearDecay, ScheduleRule> {
 public:
    std::string name() const override { return "linear"; }
    void describe(Settings& s, const std::string& chosen) override {
        s.bind("linear-end", end_, "rate that linear ends with, relative to `lr`")
            .min(0)
            .max(1)
            .only_with("`schedule` linear", [&chosen] { return chosen == "linear"; });
    }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        return base * (1 - (1 - end_) * length.done(step));
    }

 private:
    double end_ = 0.1;
};

}  // namespace

void add_linear_decay() { add_schedule(LinearDecay()); }

}  // namespace atrous::extending
