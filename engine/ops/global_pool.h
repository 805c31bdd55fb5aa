// Global average pooling; formulas in kernels/global_pool.h.
#pragma once

#include "engine/ops/descriptor.h"

namespace atrous {

// x [N][H][W][C] -> [N][1][1][C], the mean over pixels. `bilinear` spreads it over any size again.
Tensor global_average_pool(const Tensor& x);

OpDescriptor describe_global_average_pool();
inline const AddedOps global_pool_added{describe_global_average_pool};

}  // namespace atrous
