// Max pooling; formulas in kernels/pool.h.
#pragma once

#include "engine/autograd/tape.h"
#include "kernels/pool.h"

namespace atrous {

using kernels::PoolGeometry;

Tensor max_pool(const Tensor& x, PoolGeometry geometry = {});

}  // namespace atrous
