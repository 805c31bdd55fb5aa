#include "kernels/gpu/runtime.h"

#include <map>
#include <mutex>

namespace atrous::gpu {

char StreamView::dry_run_mark_;

int capability() {
    static const int devices = device_count();
    if (devices == 0) return 0;
    static std::mutex mutex;
    static std::map<int, int> known;
    const int device = current_device();
    const std::lock_guard lock(mutex);
    const auto [found, is_new] = known.try_emplace(device);
    if (is_new) {
        const DeviceInfo info = device_info(device);
        found->second = 10 * info.major + info.minor;
    }
    return found->second;
}

}  // namespace atrous::gpu
