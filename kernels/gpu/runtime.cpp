#include "kernels/gpu/runtime.h"

namespace atrous::gpu {

char StreamView::dry_run_mark_;

}  // namespace atrous::gpu
