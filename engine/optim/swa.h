// Stochastic weight averaging (Izmailov, Podoprikhin, Garipov, Vetrov, Wilson: Averaging weights leads to wider optima and
// better generalization, UAI 2018): the mean of the weights at the end of each of the last epochs, trained at a constant
// rate if one is given. Cyclical rates are not built in.
#pragma once

#include "engine/optim/schedule.h"

namespace atrous {

// Which step of a training one is, from 0.
struct StepPlace {
    int64_t step = 0;      // of all
    int64_t epoch = 0;     // that it belongs to
    int64_t in_epoch = 0;  // of that epoch's
};

struct SwaOptions {
    double from = 0;  // 0: no average; below 1: the share of the epochs before the first averaged one; else its number
    double rate = 0;  // learning rate of the averaged epochs; 0: the schedule's
    int64_t anneal_epochs = 0;  // over which half a cosine leads to that rate, as PyTorch's SWALR; 0: at once

    bool on() const { return from > 0; }
    int64_t first_epoch(int64_t epochs) const;  // from 0; `epochs` where nothing is averaged
    // The rate of a step of a training of so many epochs. Epochs decide, as they do of the mean: a training that was resumed
    // with other batches has had epochs of other lengths.
    double rate_at(const StepPlace& at, int64_t epochs, const Schedule& schedule, const ScheduleState& state) const;
};

void describe(Settings& settings, SwaOptions& options);
void check(const SwaOptions& options, int64_t epochs);  // UsageError for an epoch that there is not

}  // namespace atrous
