// How long work takes: on a GPU between two events on its stream, elsewhere by a steady clock.
#pragma once

#include <chrono>
#include <functional>

#include "engine/context.h"

namespace atrous::bench {

inline double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double seconds_of(Device device, const std::function<void()>& work) {
    if (device.kind != DeviceKind::gpu) {
        const double began = now_s();
        work();
        return now_s() - began;
    }
    const gpu::DeviceGuard current = context_of(device).guard();
    const gpu::StreamView stream = context_of(device).stream();
    gpu::Event before, after;
    before.record(stream);
    work();
    after.record(stream);
    after.synchronize();
    return double(after.ms_since(before)) * 1e-3;
}

}  // namespace atrous::bench
