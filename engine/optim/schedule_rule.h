// A schedule says how the learning rate changes over a training: its name, its settings, and the rate of a step. It is
// one file in engine/optim/schedules/, which schedules.cpp lists; add_schedule() adds one from outside the tree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/catalogue.h"
#include "base/settings.h"

namespace atrous {

struct TrainingLength {
    int64_t total_steps = 0, steps_per_epoch = 0;  // 0: not known
    double done(int64_t step) const;               // of all steps, 0 to 1
};

// A schedule that goes by the validation remembers this; checkpoints hold it.
struct ScheduleState {
    double factor = 1, best = 0;  // the learning rate is multiplied with the factor
    bool seen = false;            // a score: best is one
    int64_t waited = 0;           // epochs without a better score
};

class ScheduleRule {
 public:
    virtual ~ScheduleRule() = default;
    virtual std::string name() const = 0;
    // Describes its own settings; `chosen` is the name of the schedule in use, wherever that is decided.
    virtual void describe(Settings&, const std::string& /*chosen*/) {}
    // Throws UsageError for settings with which the schedule would do nothing.
    virtual void check() const {}
    // The rate of the step-th step, from 0, warm-up aside; `base` is the one to start from.
    virtual double at(double base, int64_t step, const TrainingLength& length) const = 0;
    // A schedule that goes by the validation sees each epoch's score, and changes what it remembers.
    virtual bool by_validation() const { return false; }
    virtual void see(ScheduleState&, double /*score*/, bool /*higher_is_better*/) const {}
    virtual std::unique_ptr<ScheduleRule> copy() const = 0;

    static Catalogue<ScheduleRule>& catalogue();
};

// Must be called before there are threads; throws Error where the name is taken.
template <class Rule>
void add_schedule(const Rule& rule) {
    ScheduleRule::catalogue().add(rule);
}

}  // namespace atrous
