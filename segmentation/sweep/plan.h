// What a sweep trains: the settings that all its trainings share, and the points. It is kept in the sweep's folder, so
// that a second start goes on with the same.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "segmentation/experiment.h"
#include "segmentation/sweep/grid.h"

namespace atrous::sweep {

inline constexpr const char* plan_name = "sweep.toml";

struct Plan {
    std::string base;  // settings as a configuration file has them, of no run folder
    std::vector<Point> points;
    std::map<std::string, std::string> failures = {};  // by the training's name the line with which it failed last
};

// The experiment of one point. UsageError for a value that does not fit the others: an option of another model.
Experiment experiment_of(const Plan& plan, const Point& point);

// Writes the plan of the folder, durably. IoError.
void write_plan(const std::string& folder, const Plan& plan);

// Goes on with the plan that the folder has, if any, and with its failures; returns the points that are new to it: all of them where it has
// none. The number of threads stays that of the plan unless it was `threads_given`: results can depend on it. UsageError
// where the plan has other settings, but for those that change no result, or points that are missing here.
std::vector<Point> continue_plan(const std::string& folder, Plan& plan, bool threads_given);

}  // namespace atrous::sweep
