// What a run of measurements or a prediction comes to: its roofline, and whether it is worth anything.
#pragma once

#include <string>

#include "benchmarks/harness/report.h"

namespace atrous::bench {

// SVG: each pass at its arithmetic intensity and speed, of a prediction the most that is possible.
std::string roofline_of(const Run& run, const std::string& device);
std::string roofline_of(const Prediction& prediction);

// A sentence where times mean little: emulated, or on a cpu that was not steady; else "". NumericError where a pass
// differs from the reference; Error where a GPU was not steady, which makes a run worthless.
std::string verdict_on(const Run& run, Device device);

}  // namespace atrous::bench
