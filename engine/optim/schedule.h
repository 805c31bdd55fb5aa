// Learning rate as a function of the step.
#pragma once

#include <cstdint>
#include <string>

namespace atrous {

struct Schedule {
    enum class Kind { constant, step, poly, cosine } kind = Kind::constant;
    double base = 1e-4;
    int64_t warmup_steps = 0;  // linear from base / warmup_steps to base
    int64_t total_steps = 0;   // poly and cosine end here
    int64_t step_every = 0;    // step: every so many steps ...
    double step_factor = 0.1;  // ... times this
    double poly_power = 0.9;   // base * (1 - t/T)^power (Chen et al., DeepLab)

    double at(int64_t step) const;  // of the step-th step, from 0
};

Schedule::Kind parse_schedule(const std::string& name);  // UsageError for an unknown name

}  // namespace atrous
