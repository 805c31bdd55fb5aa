// The roofline (Williams, Waterman & Patterson 2009): what each pass achieves over its arithmetic intensity, under what
// the machine can do at most.
#pragma once

#include <string>
#include <vector>

#include "benchmarks/harness/ceilings.h"

namespace atrous::bench {

struct RooflinePoint {
    std::string name;  // of the op: one colour each
    std::string text;  // shown on hovering
    bool backward = false;
    double flops_per_byte = 0, flops_per_s = 0;
};

// A figure in SVG, both axes logarithmic. Points without operations (copies) are left out.
std::string roofline_svg(const std::string& title, const Ceilings& ceilings, const std::vector<RooflinePoint>& points);

}  // namespace atrous::bench
