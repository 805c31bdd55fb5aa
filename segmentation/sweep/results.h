// What the trainings of a sweep came to, read from their run folders, and how they rank.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/train/metric.h"
#include "segmentation/sweep/plan.h"

namespace atrous::sweep {

struct Result {
    enum class State { waiting, begun, done } state = State::waiting;  // waiting: it has no checkpoint yet
    std::string failure = {};                                          // why it ended, where it did before it was done
    double score = undefined_score;                                    // of the best epoch, by the monitored score
    int64_t best_epoch = 0, epochs = 0;                                // from 1; how many are trained
    double seconds = 0;                                                // of the epochs in metrics.csv
};

// A training is done where its last epoch, or the last of its patience, is saved and its best checkpoint was scored.
Result read_result(const std::string& folder, const Experiment& experiment);

// A training, or those that differ in seed and fold alone.
struct Group {
    std::vector<size_t> members;    // of the plan's points
    double mean = undefined_score;  // of the members that have a score and did not fail
    double spread = 0;              // their standard deviation with n - 1, 0 of one
    size_t scored = 0;
    int64_t rank = 0;  // from 1; 0: without a score
};

// The best first, those without a score last, equal ones in the order of the plan.
std::vector<Group> ranked(const Plan& plan, const std::vector<Result>& results, bool higher_is_better);

// For people: a row a group. Then a line for each training that failed or is not done, and why.
std::string results_table(const Plan& plan, const std::vector<Result>& results, const std::string& monitor);

// For programs: a row a training. `best_…` is the monitored score; mean, deviation and rank are of its group.
std::string results_csv(const Plan& plan, const std::vector<Result>& results, const std::string& monitor);

}  // namespace atrous::sweep
