// Global average pooling; formulas in kernels/global_pool.h.
#pragma once

#include "engine/autograd/tape.h"

namespace atrous {

// x [N][H][W][C] -> [N][1][1][C], the mean over pixels. `bilinear` spreads it over any size again.
Tensor global_average_pool(const Tensor& x);

}  // namespace atrous
