// One thread writes one entry. No shared memory.
#include "kernels/step_log.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/gpu/device.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

__global__ void __launch_bounds__(32) log_step_kernel(StepLogArgs a) {
    if (threadIdx.x == 0) log_step_entry<float>(a);
}

}  // namespace

void log_step(Queue& q, const StepLogArgs& a) {
    check(a);
    require(a.dtype == DType::f32, "log_step: loss terms on the GPU are f32");
    ran("log_step/one");
    launch(log_step_kernel, dim3(1), dim3(32), 0, q.stream(), a);
}

}  // namespace atrous::kernels::cuda
