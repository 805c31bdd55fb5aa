// Max pooling; formulas in kernels/pool.h.
#pragma once

#include "engine/ops/descriptor.h"
#include "kernels/pool.h"

namespace atrous {

using kernels::PoolGeometry;

Tensor max_pool(const Tensor& x, PoolGeometry geometry = {});

OpDescriptor describe_max_pool();
inline const AddedOps max_pool_added{describe_max_pool};

}  // namespace atrous
