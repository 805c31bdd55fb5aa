// One op at a shape, as `atrous bench kernels` and `atrous inspect kernel` are asked for it.
#pragma once

#include <string>
#include <vector>

#include "apps/options.h"
#include "benchmarks/harness/workload.h"

namespace atrous::app {

struct OpArguments {
    std::string op;
    std::vector<std::string> shape;
    int64_t stride = 1, padding = 0, dilation = 1, out_channels = 1;
    double scale = 2;
    bool relu = false, bias = false;

    // All but the op's name, and `kernel` and `align-corners`, which may be a net's too. Returns `shape`.
    Setting<std::vector<std::string>>& describe_op(Options& o);
    // With the numbers that were given. UsageError for a shape that is none.
    bench::Workload workload(const Options& o, int64_t kernel, bool align_corners) const;
};

}  // namespace atrous::app
