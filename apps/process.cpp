#include "apps/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

namespace atrous::app {

void prepare_process() {
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    // What the user says of these in the environment goes first.
    if (!std::getenv("MALLOC_MMAP_THRESHOLD_")) ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that is allowed
    if (!std::getenv("MALLOC_TRIM_THRESHOLD_")) ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
    // open() takes the lowest free number; opened the wrong way round, so that using the stream fails as before.
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(stream, F_GETFD) < 0) (void)::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void bound_spinning(char** argv) {
    static constexpr const char* spins = "2000";  // docs/performance-notes.md has what other numbers cost
    if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
    if (::getauxval(AT_BASE) == 0) return;  // started through the loader, which would be what is started again
    char program[PATH_MAX];                 // by its own name, which ps shows, not /proc/self/exe
    const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return;
    program[length] = '\0';
    ::setenv("GOMP_SPINCOUNT", spins, 1);
    ::execv(program, argv);
    ::unsetenv("GOMP_SPINCOUNT");
}

}  // namespace atrous::app
