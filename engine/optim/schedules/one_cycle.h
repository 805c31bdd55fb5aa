// Up and down in one training: the rate rises from base / 25 to base over the first 30 % of the steps and falls to
// base / 250,000 at the last, both along half a cosine (Smith & Topin 2018, with the defaults of PyTorch's OneCycleLR;
// momentum stays as it is).
#pragma once

#include <cmath>

#include "engine/optim/schedule_rule.h"

namespace atrous {

class OneCycle : public Copied<OneCycle, ScheduleRule> {
 public:
    double rise = 0.3;

    std::string name() const override { return "one-cycle"; }
    void describe(Settings& s, const std::string& chosen) override {
        s.bind("rise", rise, "share of the steps in which the rate of one-cycle rises")
            .above(0)
            .max(0.99)
            .only_with("`schedule` one-cycle", [&chosen] { return chosen == "one-cycle"; });
    }
    double at(double base, int64_t step, const TrainingLength& length) const override {
        const double steps = double(length.total_steps), last = steps - 1, top = std::fmax(rise * steps - 1, 0);
        const double low = base / 25, lowest = low / 1e4;
        if (last <= 0 || double(step) >= last) return lowest;
        return double(step) < top ? between(low, base, double(step) / top)
                                  : between(base, lowest, (double(step) - top) / (last - top));
    }

 private:
    static double between(double from, double to, double share) {  // half a cosine, share from 0 to 1
        return to + (from - to) / 2 * (1 + std::cos(3.141592653589793 * share));
    }
};

}  // namespace atrous
