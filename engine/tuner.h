// Finds by timing which implementation, and which of its ways, is fastest for each convolution of a computation on a GPU.
//
//   kernels::ProblemLog problems;
//   plan_memory(*net, plan);                                   // a dry run: every convolution tells its problem
//   const TuneResult found = tune(problems, device, known, {.budget_s = 60});
//   set_tuned_kernels(std::make_shared<kernels::TunedKernels>(found.kernels));
//
// Every problem is computed alone, once to warm up and then up to five times, on random numbers in memory of the tuner's
// own, which each time no cache holds. That is a choice, and neither measured nor right for the small maps of deep
// layers, which a training may find in the L2 cache. What is not timed within the budget, or for want of memory, is left
// to the families' own lists.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"
#include "kernels/tunable.h"
#include "kernels/tuned_kernels.h"

namespace atrous {

// Milliseconds of one run. Of what is slower than `best_ms` it may stop early.
using WayTimer = std::function<double(const kernels::TunableProblem&, const kernels::KernelWay&, double best_ms)>;

struct TuneOptions {
    double budget_s = 60;  // of all timings together
    WayTimer time = {};    // absent: on the device
    std::function<void(int64_t done, int64_t of)> progress = {};
};

struct WayTime {
    kernels::KernelWay way;
    double ms = 0;
    std::string failure = {};  // it could not be run, in one line
};
struct ProblemTimes {
    std::string problem;
    std::vector<WayTime> ways;  // first what runs untuned
};

struct TuneResult {
    kernels::TunedKernels kernels;    // of the problems that have a choice and were timed, now or before
    std::vector<ProblemTimes> times;  // of those timed now
    int64_t problems = 0, with_choice = 0, known = 0, without_time = 0, without_memory = 0;
    double seconds = 0;
};

// `known` problems are not timed again. A way takes the place of what runs untuned where it is 2 % faster or more.
TuneResult tune(const kernels::ProblemLog& problems, Device device, const kernels::TunedKernels& known,
                const TuneOptions& options);

}  // namespace atrous
