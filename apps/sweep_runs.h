// The trainings of a sweep as processes, several at once.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apps/console.h"
#include "segmentation/sweep/plan.h"
#include "segmentation/sweep/results.h"
#include "segmentation/sweep/sweep_folder.h"

namespace atrous::app {

// Does for each of the points what `atrous train --dry-run` does. Throws what that ended with for the first one whose
// training cannot work; returns early where an interrupt came. `folder` may be still to come.
void check_trainings(const sweep::Plan& plan, const std::string& folder, int64_t jobs, Console& console);

// Trains what is not done, `jobs` at a time, each in its folder: resumed where it was begun. After each training `ended`
// is called. An interrupt is passed on, once, to those that run; none is begun after it. Those that failed in an earlier
// start are tried again after the others, and one whose folder another process uses is put off until nothing else is left.
class SweepRuns {
 public:
    SweepRuns(const sweep::Plan& plan, const sweep::SweepFolder& folder, int64_t jobs, Console& console);

    void train(const std::function<void()>& ended);
    const std::vector<sweep::Result>& results() const { return results_; }
    std::map<std::string, std::string> failures() const;  // as the plan has them, by now

 private:
    std::string run_of(size_t point) const { return folder_.run(name_of(plan_.points[point])); }
    std::vector<std::string> arguments_of(size_t point) const;
    void read_again(size_t point);
    bool note_end(size_t point, int code, const std::string& complaint);  // whether it failed
    void say_end(size_t point, bool failed, double seconds);
    bool is_locked(size_t point);
    std::vector<size_t> in_order();

    const sweep::Plan& plan_;
    const sweep::SweepFolder& folder_;
    int64_t jobs_;
    Console& console_;
    std::vector<Experiment> experiments_;
    std::vector<sweep::Result> results_;
    std::set<size_t> put_off_;
    size_t left_ = 0, ended_ = 0;  // trainings that are still to end; those of this start that have
    double trained_s_ = 0;
};

}  // namespace atrous::app
