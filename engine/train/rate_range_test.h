// The learning-rate range test (Smith: Cyclical learning rates for training neural networks, WACV 2017): a few steps of a
// training whose rate rises exponentially, and what their losses say of the rate to train at.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/train/trainer.h"

namespace atrous {

struct RangeTestOptions {
    double lowest = 1e-7, highest = 1;  // rates of the first and of the last step
    int64_t steps = 100;
    // The test ends where the average of the last losses is so many times the lowest before (decay_of_average). Of either the first
    // ten are left out, as they are of too few steps.
    double divergence = 4;
};

void describe(Settings& settings, RangeTestOptions& options);
void check(const RangeTestOptions& options);  // UsageError

struct RangeTestPoint {
    int64_t step;  // from 1
    double rate, loss;
    double smoothed;  // smooth()
};

struct RangeTest {
    std::vector<RangeTestPoint> points;  // without the steps of which no pixel counts: they have no loss
    std::vector<std::string> warnings;   // of those
    int64_t steps = 0;                   // that it would have had
    int64_t taken = 0;                   // whose losses were read
    bool diverged = false;               // it ended before them, by the loss
    bool interrupted = false;            // it ended before them, as it was asked to
    // The point where the smoothed loss falls most by the rate's logarithm, over three points to either side, and that of the
    // lowest smoothed loss. The first points, over which losses are smoothed, are left out, and as many of the last ones; where the
    // test diverged, only the last three.
    std::optional<size_t> steepest() const, lowest() const;
};

// Smooths the losses when all are there: the mean of a tenth of the steps (at least 2) to either side, and of as many on both, so that a fall
// stays at its rate; an average of the losses before would show it at a higher one. Weights fall evenly to the sides. Towards the
// first and the last step there are fewer losses in it.
void smooth(RangeTest& test);

// Of the exponential average of the losses so far, which alone is there while the test runs: over a twentieth of the steps.
double decay_of_average(const RangeTestOptions& options);

// The rate of a step, from 1.
double rate_of(const RangeTestOptions& options, int64_t step);

// Takes the steps that a training with these options would take, but for the rate; epochs follow each other as far as
// need be. Changes the net. `go_on` is asked before each step, with those done. DataError for labels out of range.
RangeTest test_rates(SegmentationNet& net, Optimizer& optimizer, BatchSource& training, const TrainerOptions& options,
                     const RangeTestOptions& range, const std::function<bool(int64_t steps_done)>& go_on);

}  // namespace atrous
