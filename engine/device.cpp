#include "engine/device.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"
#include "kernels/gpu/architectures.h"
#include "kernels/gpu/runtime.h"

namespace atrous {

static bool emulated_platform() { return gpu::platform() == gpu::Platform::emulated; }

std::string name_of(Device device) {
    switch (device.kind) {
        case DeviceKind::cpu:
            return "cpu";
        case DeviceKind::gpu:
            return emulated_platform() ? "emulated" : fmt::format("cuda:{}", device.index);
        case DeviceKind::reference:
            return "reference";
        case DeviceKind::meta:
            return "meta";
    }
    return "?";
}

// Why a GPU cannot be used, or "".
static std::string without_code(int index) {
    const gpu::DeviceInfo info = gpu::device_info(index);
    if (gpu::has_code(gpu::architectures(), info.major, info.minor)) return "";
    return fmt::format("GPU {}, {}, has compute capability {}.{}, for which this binary has no code (it has {})", index,
                       info.name, info.major, info.minor, gpu::architectures());
}

static Device first_usable_gpu(std::string* passed_over) {
    const int count = emulated_platform() ? 0 : gpu::device_count();
    for (int i = 0; i < count; ++i) {
        const std::string why = without_code(i);
        if (why.empty()) return {DeviceKind::gpu, i};
        if (passed_over) *passed_over += (passed_over->empty() ? "" : "; ") + why;
    }
    return {DeviceKind::cpu};
}

static Device parse_cuda(const std::string& name) {
    if (emulated_platform())
        throw GpuError(
            "device " + name +
            ": this binary was built without CUDA; use `device` cpu or emulated, or build with -DATROUS_PLATFORM=cuda");
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
    if (const std::string none = without_code(index); !none.empty())
        throw GpuError("device " + name + ": " + none +
                       "; use `device` cpu, or build for it with -DATROUS_CUDA_ARCHITECTURES");
    return {DeviceKind::gpu, index};
}

Device parse_device(const std::string& name, std::string* passed_over) {
    if (name == "cpu") return {DeviceKind::cpu};
    if (name == "reference") return {DeviceKind::reference};
    if (name == "meta") return {DeviceKind::meta};
    if (name == "auto") return first_usable_gpu(passed_over);
    if (name == "emulated") {
        if (!emulated_platform())
            throw GpuError(
                "device emulated: this binary runs on real GPUs; build with -DATROUS_PLATFORM=emulated for the "
                "emulator");
        return {DeviceKind::gpu};
    }
    if (name == "cuda" || name.rfind("cuda:", 0) == 0) return parse_cuda(name);
    throw UsageError("device '" + name + "' is unknown; expected auto, cpu, cuda, cuda:<number> or emulated");
}

}  // namespace atrous
