// Learning rate as a function of the step.
#pragma once

#include <cstdint>
#include <string>

#include "base/settings.h"

namespace atrous {

struct Schedule {
    enum class Kind { constant, step, poly, cosine, plateau } kind = Kind::constant;
    double base = 1e-4;
    int64_t warmup_steps = 0;  // linear from base / warmup_steps to base
    int64_t total_steps = 0;   // poly and cosine end here
    int64_t step_epochs = 10;  // step: every so many epochs …
    int64_t step_every = 0;    // … which are so many steps …
    double step_factor = 0.1;  // … times this
    double poly_power = 0.9;   // base * (1 - t/T)^power (Chen et al., DeepLab)

    int64_t patience = 10;        // plateau: after more than so many epochs in a row without a better score …
    double plateau_factor = 0.1;  // … times this, from then on (see Plateau)

    void set_length(int64_t epochs, int64_t steps_per_epoch);  // total_steps and step_every
    double at(int64_t step) const;  // of the step-th step, from 0; plateau's is base, times Plateau::factor
};

void describe(Settings& settings, Schedule& schedule);

// What the learning rate is multiplied with under the schedule plateau, as PyTorch's ReduceLROnPlateau with mode "max"
// or "min" and its other defaults, but for a smallest change of the rate: better means by more than 1e-4 of the best
// score so far.
struct Plateau {
    double factor = 1, best = 0;
    bool seen = false;   // a score: best is one
    int64_t waited = 0;  // epochs without a better score

    void see(double score, bool higher_is_better, const Schedule& schedule);
};

}  // namespace atrous
