// What repeated measurements say.
#pragma once

#include <cstddef>
#include <vector>

namespace atrous::bench {

struct Statistics {
    double median = 0, p10 = 0, p90 = 0, least = 0;
    size_t count = 0;
};

// Quantiles by linear interpolation between order statistics (numpy's default). All zeros of nothing.
Statistics statistics(std::vector<double> values);

}  // namespace atrous::bench
