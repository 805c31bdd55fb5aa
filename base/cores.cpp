#include "base/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace atrous {

// A quota in cores from a control group's file: "200000 100000" microseconds in "cpu.max", or two files of one number.
static double quota_in(const std::string& group) {
    double time = 0, period = 0;
    std::ifstream both(group + "/cpu.max"), quota(group + "/cpu.cfs_quota_us"), of(group + "/cpu.cfs_period_us");
    const bool read = (both >> time >> period) || ((quota >> time) && (of >> period));
    return read && time > 0 && period > 0 ? time / period : HUGE_VAL;
}

// The smallest quota of the process's control group and those above it, of either version; infinite where none has one.
static double quota() {
    double smallest = HUGE_VAL;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const bool unified = controllers == ",,";
        if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
        const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        for (std::string group = line.substr(second + 1);; group.resize(group.rfind('/'))) {
            smallest = std::min(smallest, quota_in(root + group));
            if (group.rfind('/') == std::string::npos) break;
        }
    }
    return smallest;
}

int usable_cores() {
    cpu_set_t allowed;
    const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const int cores = known ? CPU_COUNT(&allowed) : int(::sysconf(_SC_NPROCESSORS_ONLN));
    return std::max(1, int(std::min(double(cores), std::ceil(quota()))));
}

}  // namespace atrous
