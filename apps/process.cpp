#include "apps/process.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <string>

namespace atrous::app {

void prepare_process() {
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    // open() takes the lowest free number; opened the wrong way round, so that using the stream fails as before.
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(stream, F_GETFD) < 0) (void)::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void bound_spinning(char** argv) {
    static constexpr const char* spins = "1000";  // docs/performance-notes.md has what other numbers cost
    if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
    char program[PATH_MAX];  // by its own name, which ps shows, not /proc/self/exe
    const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return;
    program[length] = '\0';
    ::setenv("GOMP_SPINCOUNT", spins, 1);
    ::execv(program, argv);
    ::unsetenv("GOMP_SPINCOUNT");
}

// The control group's quota in cores ("200000 100000" microseconds: two); infinite where there is none.
static double quota() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        std::ifstream in("/sys/fs/cgroup" + line.substr(3) + "/cpu.max");
        double time = 0, period = 0;
        if (in >> time >> period && time > 0 && period > 0) return time / period;
    }
    return HUGE_VAL;
}

int usable_cores() {
    cpu_set_t allowed;
    const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const int cores = known ? CPU_COUNT(&allowed) : int(::sysconf(_SC_NPROCESSORS_ONLN));
    return std::max(1, int(std::min(double(cores), std::ceil(quota()))));
}

}  // namespace atrous::app
