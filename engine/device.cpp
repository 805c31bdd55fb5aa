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
            if (!emulated_platform()) return fmt::format("cuda:{}", device.index);
            return device.index == 0 ? "emulated" : fmt::format("emulated:{}", device.index);
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

// The number behind `kind` and a colon; 0 where there is none.
static int index_in(const std::string& name, const std::string& kind) {
    if (name == kind) return 0;
    int index = 0;
    const char *begin = name.data() + kind.size() + 1, *end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(begin, end, index);
    if (error != std::errc() || stop != end || index < 0)
        throw UsageError(fmt::format("device '{0}': expected {1} or {1}:<number>", name, kind));
    return index;
}

static Device parse_emulated(const std::string& name) {
    const int index = index_in(name, "emulated");
    if (!emulated_platform())
        throw GpuError(
            "device emulated: this binary runs on real GPUs; build with -DATROUS_PLATFORM=emulated for the emulator");
    if (index >= gpu::device_count())
        throw GpuError(fmt::format("device {}: {} emulated, numbered from 0; set ATROUS_EMULATED_DEVICES for more",
                                   name,
                                   gpu::device_count() == 1 ? "one is" : fmt::format("{} are", gpu::device_count())));
    return {DeviceKind::gpu, index};
}

static Device parse_cuda(const std::string& name) {
    if (emulated_platform())
        throw GpuError(
            "device " + name +
            ": this binary was built without CUDA; use `device` cpu or emulated, or build with -DATROUS_PLATFORM=cuda");
    const int index = index_in(name, "cuda");
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
    if (name == "emulated" || name.rfind("emulated:", 0) == 0) return parse_emulated(name);
    if (name == "cuda" || name.rfind("cuda:", 0) == 0) return parse_cuda(name);
    throw UsageError("device '" + name + "' is unknown; expected auto, cpu, cuda, cuda:<number> or emulated");
}

}  // namespace atrous
