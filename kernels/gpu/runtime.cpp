#include "kernels/gpu/runtime.h"

namespace atrous::gpu {

char StreamView::rehearsal_mark_;

}  // namespace atrous::gpu
