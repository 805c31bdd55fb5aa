#include "engine/side_branch.h"

#include <atomic>

namespace atrous {

static std::atomic<bool> are_allowed{true};
bool SideBranch::allowed() { return are_allowed; }
void SideBranch::allow(bool on) { are_allowed = on; }

SideBranch::SideBranch(Device device, bool wanted)
    : device_(device),
      branches_(wanted && allowed() && backend_kind(device) == DeviceKind::gpu && !Profiler::current()) {
    if (!branches_) return;
    if (MemorySimulation* simulation = MemorySimulation::current(); device.kind == DeviceKind::meta && simulation)
        simulation->keep_scratch(true);
    else
        first_ = context_of(device).scratch_blocks();
}

void SideBranch::join() {
    if (!branches_) return;
    branches_ = false;
    if (device_.kind == DeviceKind::meta)
        MemorySimulation::current()->keep_scratch(false);
    else if (forked_)
        context_of(device_).join(first_);
}

SideBranch::~SideBranch() noexcept(false) {
    try {
        join();
    } catch (...) {
        if (std::uncaught_exceptions() == errors_) throw;
    }
}

}  // namespace atrous
