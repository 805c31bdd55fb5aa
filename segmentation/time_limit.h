// A training that ends when its hours are over, as on a cluster: after a step, saved, so that it can go on.
#pragma once

#include <chrono>

#include "engine/train/trainer.h"

namespace atrous {

class TimeLimit : public TrainObserver {
 public:
    using Clock = std::chrono::steady_clock;

    explicit TimeLimit(double hours) : hours_(hours) {}  // 0: none
    bool stop_requested() override {
        return hours_ > 0 && std::chrono::duration<double, std::ratio<3600>>(Clock::now() - start_).count() >= hours_;
    }

 private:
    double hours_;
    Clock::time_point start_ = Clock::now();
};

}  // namespace atrous
