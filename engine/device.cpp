#include "engine/device.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"
#include "kernels/gpu/runtime.h"

namespace atrous {

static bool emulated_world() { return gpu::world() == gpu::World::emulated; }

std::string name_of(Device device) {
    switch (device.kind) {
        case DeviceKind::cpu:
            return "cpu";
        case DeviceKind::gpu:
            return emulated_world() ? "emulated" : fmt::format("cuda:{}", device.index);
        case DeviceKind::reference:
            return "reference";
        case DeviceKind::meta:
            return "meta";
    }
    return "?";
}

static Device parse_cuda(const std::string& name) {
    if (emulated_world())
        throw GpuError(
            "device " + name +
            ": this binary was built without CUDA; use `device` cpu or emulated, or build with -DATROUS_WORLD=cuda");
    int index = 0;
    if (name != "cuda") {
        const char *begin = name.data() + 5, *end = name.data() + name.size();
        const auto [stop, error] = std::from_chars(begin, end, index);
        if (error != std::errc() || stop != end || index < 0)
            throw UsageError("device '" + name + "': expected cuda or cuda:<number>");
    }
    std::string why;
    const int count = gpu::device_count(&why);
    if (count == 0) throw GpuError("device " + name + ": no usable GPU: " + why + "; use `device` cpu");
    if (index >= count) throw GpuError(fmt::format("device {}: there are {} GPUs, numbered from 0", name, count));
    return {DeviceKind::gpu, index};
}

Device parse_device(const std::string& name) {
    if (name == "cpu") return {DeviceKind::cpu};
    if (name == "reference") return {DeviceKind::reference};
    if (name == "meta") return {DeviceKind::meta};
    if (name == "auto") {
        const bool usable = !emulated_world() && gpu::device_count() > 0;
        return {usable ? DeviceKind::gpu : DeviceKind::cpu};
    }
    if (name == "emulated") {
        if (!emulated_world())
            throw GpuError(
                "device emulated: this binary runs on real GPUs; build with -DATROUS_WORLD=emulated for the emulator");
        return {DeviceKind::gpu};
    }
    if (name == "cuda" || name.rfind("cuda:", 0) == 0) return parse_cuda(name);
    throw UsageError("device '" + name + "' is unknown; expected auto, cpu, cuda, cuda:<number> or emulated");
}

}  // namespace atrous
