// A training that ends when its hours are over, as on a cluster: after a step, saved, so that it can go on.
#pragma once

#include <chrono>

#include "engine/train/trainer.h"

namespace atrous {

// A validation is let finish, which would begin anew when the training goes on, and a first step or epoch is taken
// whatever the time: a training that is started again and again gets on.
class TimeLimit : public TrainObserver {
 public:
    using Clock = std::chrono::steady_clock;

    TimeLimit(double hours, Clock::time_point started) : hours_(hours), started_(started) {}  // 0 hours: no limit
    void on_step(const StepReport&) override { got_on_ = true, validating_ = false; }
    void on_validation(int64_t, int64_t) override { validating_ = true; }
    void on_epoch(const EpochReport&) override { got_on_ = true, validating_ = false; }
    bool stop_requested() override {
        if (hours_ <= 0 || validating_ || !got_on_) return false;
        return std::chrono::duration<double, std::ratio<3600>>(Clock::now() - started_).count() >= hours_;
    }

 private:
    double hours_;
    Clock::time_point started_;
    bool validating_ = false, got_on_ = false;
};

}  // namespace atrous
