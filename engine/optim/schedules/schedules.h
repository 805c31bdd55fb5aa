// The schedules of this tree.
#pragma once

#include "engine/optim/schedule_rule.h"

namespace atrous {

class ConstantRate : public Copied<ConstantRate, ScheduleRule> {
 public:
    std::string name() const override { return "constant"; }
    double at(double base, int64_t, const TrainingLength&) const override { return base; }
};

// base * factor^(drops so far), a drop every so many epochs.
class StepDecay : public Copied<StepDecay, ScheduleRule> {
 public:
    int64_t epochs = 10;
    double factor = 0.1;

    std::string name() const override { return "step"; }
    void describe(Settings& s, const std::string& chosen) override;
    double at(double base, int64_t step, const TrainingLength& length) const override;
};

// base * (1 - t/T)^power (Chen et al., DeepLab).
class PolyDecay : public Copied<PolyDecay, ScheduleRule> {
 public:
    double power = 0.9;

    std::string name() const override { return "poly"; }
    void describe(Settings& s, const std::string& chosen) override;
    double at(double base, int64_t step, const TrainingLength& length) const override;
};

// base * (1 + cos(pi t/T)) / 2.
class CosineDecay : public Copied<CosineDecay, ScheduleRule> {
 public:
    std::string name() const override { return "cosine"; }
    double at(double base, int64_t step, const TrainingLength& length) const override;
};

// As PyTorch's ReduceLROnPlateau with mode "max" or "min" and its other defaults, but for a smallest change of the rate:
// after more than `patience` epochs in a row without a better score the rate is multiplied with `factor`, from then on.
// Better means by more than 1e-4 of the best score so far.
class Plateau : public Copied<Plateau, ScheduleRule> {
 public:
    int64_t patience = 10;
    double factor = 0.1;

    std::string name() const override { return "plateau"; }
    void describe(Settings& s, const std::string& chosen) override;
    double at(double base, int64_t, const TrainingLength&) const override { return base; }
    bool by_validation() const override { return true; }
    void see(ScheduleState& state, double score, bool higher_is_better) const override;
};

}  // namespace atrous
