// A training that ends when its hours are over, as on a cluster: after a step, saved, so that it can go on.
#pragma once

#include <chrono>
#include <utility>

#include "engine/train/trainer.h"

namespace atrous {

// A validation, with the pass for a mean's statistics before it, is let finish, which would begin anew when the training goes on, and a first step is taken whatever the
// time: a training that is started again and again gets on.
class TimeLimit : public TrainObserver {
 public:
    using Clock = std::chrono::steady_clock;

    TimeLimit(double hours, Clock::time_point started) : hours_(hours), started_(started) {}  // 0 hours: no limit
    void on_validation(int64_t, int64_t) override { validating_ = true; }
    void on_statistics(int64_t, int64_t) override { validating_ = true; }
    void on_epoch(const EpochReport&) override { validating_ = false; }
    bool stop_requested() override {  // asked before each step, and after each batch of a validation
        if (hours_ <= 0 || validating_ || !std::exchange(asked_, true)) return false;
        return std::chrono::duration<double, std::ratio<3600>>(Clock::now() - started_).count() >= hours_;
    }

 private:
    double hours_;
    Clock::time_point started_;
    bool validating_ = false, asked_ = false;
};

}  // namespace atrous
