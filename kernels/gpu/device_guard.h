// CUDA ties launches, events, streams, captures and allocations to the calling thread's current device. A guard makes
// one current while it lives and restores the one before.
#pragma once

#include "kernels/gpu/runtime.h"

namespace atrous::gpu {

class DeviceGuard {
 public:
    static constexpr int none = -1;  // work on the host: nothing is asked or changed

    explicit DeviceGuard(int device) : before_(device == none ? none : current_device()) {
        if (before_ == device)
            before_ = none;
        else
            set_device(device);
    }
    ~DeviceGuard() {
        if (before_ == none) return;
        try {
            set_device(before_);
        } catch (...) {  // it was current before, and the next call on it says what is wrong
        }
    }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
    int before_;  // none: nothing to restore
};

}  // namespace atrous::gpu
