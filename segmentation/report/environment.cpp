#include "segmentation/report/environment.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <ctime>

#include "base/cpu_info.h"
#include "commit.h"
#include "engine/context.h"
#include "kernels/gpu/libraries.h"
#include "kernels/gpu/runtime.h"

namespace atrous::report {

static void add_gpu(Json& all, Device device) {
    const auto info = gpu::device_info(device.index);
    all["GPU"] = fmt::format("{}, capability {}.{}, {} multiprocessors", info.name, info.major, info.minor,
                             info.multiprocessors);
    all["CUDA"] = gpu::versions();
    if (const gpu::FoundLibrary cudnn = gpu::find_library(gpu::cudnn); !cudnn.path.empty())
        all["cuDNN"] = cudnn.version;
}

Json environment(Device device) {
    utsname system{};
    uname(&system);
    Json all = Json::object();
    all["device"] = name_of(device);
    if (const std::string cpu = io::cpu_field("model name"); !cpu.empty()) all["processor"] = cpu;
    all["threads"] = std::to_string(context_of({DeviceKind::cpu}).threads());
    if (device.kind == DeviceKind::gpu) add_gpu(all, device);
    all["system"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
    all["program"] = fmt::format("atrous {}, commit {}", ATROUS_VERSION, ATROUS_COMMIT);
    all["compiler"] = __VERSION__;
    return all;
}

std::string time_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

double peak_resident_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return double(usage.ru_maxrss) * 1024;
}

}  // namespace atrous::report
