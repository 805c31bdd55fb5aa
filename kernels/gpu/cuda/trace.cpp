#include "kernels/gpu/trace.h"

#include "base/error.h"

namespace atrous::gpu {

bool can_trace(std::string* why) {
    if (why) *why = "kernels are recorded in the emulator, and this program runs on real GPUs";
    return false;
}

Trace record_kernels(const std::vector<TraceBuffer>&, const TraceOptions&, const std::function<void()>&) {
    std::string why;
    can_trace(&why);
    throw GpuError(why);
}

}  // namespace atrous::gpu
