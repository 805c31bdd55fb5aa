#include "engine/free_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "kernels/gpu/device_guard.h"

namespace atrous {

static constexpr size_t unlimited = std::numeric_limits<size_t>::max();

// The number in a file of one ("max" is none), or behind `key` in a file of lines "key number [kB]".
static size_t number_in(const std::string& path, const std::string& key, size_t otherwise) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string name;
        if (!key.empty() && !(words >> name && (name == key || name == key + ":"))) continue;
        unsigned long long number = 0;
        return words >> number ? size_t(number) : otherwise;
    }
    return otherwise;
}

// What one control group leaves: its limit less what its processes hold, not counting files that can be dropped.
static size_t left_by(const std::string& group, const char* limit_file, const char* usage_file) {
    const size_t limit = number_in(group + "/" + limit_file, "", unlimited);
    if (limit == unlimited) return unlimited;
    const size_t used = number_in(group + "/" + usage_file, "", 0);
    const size_t dropped = number_in(group + "/memory.stat", "inactive_file", 0);
    const size_t held = used > dropped ? used - dropped : 0;
    return limit > held ? limit - held : 0;
}

// The group named by a line of /proc/self/cgroup and its parents. Inside a container the path may be one of the host's:
// then only the mount's own root is there.
static size_t left_by_groups(const std::string& mount, std::string path, const char* limit, const char* usage) {
    size_t left = left_by(mount, limit, usage);
    while (path.size() > 1) {
        left = std::min(left, left_by(mount + path, limit, usage));
        path.resize(path.rfind('/'));
    }
    return left;
}

size_t free_host_memory_bytes(const std::string& root) {
    const size_t kilobytes = number_in(root + "/proc/meminfo", "MemAvailable", unlimited);
    size_t left = kilobytes == unlimited ? unlimited : kilobytes * 1024;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:path
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",",
                          path = line.substr(second + 1), mount = root + "/sys/fs/cgroup";
        if (controllers == ",,") left = std::min(left, left_by_groups(mount, path, "memory.max", "memory.current"));
        if (controllers.find(",memory,") != std::string::npos)
            left = std::min(left,
                            left_by_groups(mount + "/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
    if (left == unlimited)
        throw IoError(root + "/proc/meminfo: no line MemAvailable, and no control group limits memory; state a limit");
    return left;
}

// What the process's own limit on address space (ulimit -v) leaves.
static size_t left_by_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return unlimited;
    const size_t used = number_in("/proc/self/statm", "", 0) * size_t(sysconf(_SC_PAGESIZE));
    return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

size_t free_memory_bytes(Device device) {
    if (device.kind == DeviceKind::gpu && gpu::platform() == gpu::Platform::cuda) {
        const gpu::DeviceGuard current(device.index);
        return gpu::free_memory_bytes();
    }
    return std::min(free_host_memory_bytes(), left_by_limit());
}

}  // namespace atrous
