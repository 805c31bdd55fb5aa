#include "benchmarks/harness/environment.h"

#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "base/cpu_info.h"
#include "commit.h"
#include "engine/context.h"
#include "kernels/gpu/runtime.h"

namespace atrous::bench {

// What the driver's own tool says of the GPU at this moment; nothing where there is no such tool.
static std::string ask_driver(const std::string& fields, int index) {
    const std::string command =
        fmt::format("nvidia-smi -i {} --query-gpu={} --format=csv,noheader 2>/dev/null", index, fields);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    char line[256] = "";
    if (!pipe || !fgets(line, sizeof line, pipe.get())) return "";
    std::string text = line;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

std::vector<std::pair<std::string, std::string>> environment(Device device) {
    utsname system{};
    uname(&system);
    std::vector<std::pair<std::string, std::string>> all{{"device", name_of(device)}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) all.emplace_back(name, value);
    };
    add("cpu", io::cpu_field("model name"));
    if (device.kind == DeviceKind::gpu) {
        const auto info = gpu::device_info(device.index);
        add("gpu", fmt::format("{}, {} multiprocessors, capability {}.{}", info.name, info.multiprocessors, info.major,
                               info.minor));
        add("versions", gpu::versions());
    }
    if (device.kind == DeviceKind::gpu && gpu::platform() == gpu::Platform::cuda) {
        add("driver", ask_driver("driver_version", device.index));
        add("clocks", ask_driver("clocks.sm,clocks.mem,clocks.max.sm", device.index));
    } else {
        const std::string mhz = io::cpu_field("cpu MHz");
        add("driver", std::string(system.sysname) + " " + system.release);
        add("clocks", mhz.empty() ? "" : mhz + " MHz");
    }
    add("threads", std::to_string(context_of({DeviceKind::cpu}).threads()));
    add("compiler", __VERSION__);
    add("commit", ATROUS_COMMIT);
    return all;
}

static size_t cpu_cache_bytes() {
    size_t most = 0;
    for (int index = 0; index < 8; ++index) {
        std::ifstream in(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
        size_t size = 0;
        char unit = 0;
        if (in >> size >> unit) most = std::max(most, size << (unit == 'M' ? 20 : unit == 'K' ? 10 : 0));
    }
    return most ? most : size_t(32) << 20;
}

size_t cache_bytes(Device device) {
    return device.kind == DeviceKind::gpu ? std::max(gpu::device_info(device.index).l2_bytes, size_t(1) << 20)
                                          : cpu_cache_bytes();
}

}  // namespace atrous::bench
