// How the program ends: one line on stderr and a documented exit code.
#pragma once

#include <functional>
#include <string>

namespace atrous::app {

enum ExitCode : int {
    exit_ok = 0,
    exit_other = 1,        // anything not below
    exit_usage = 2,        // a flag or configuration value
    exit_data = 3,         // an image, mask, list or data set
    exit_io = 4,           // a file or checkpoint that cannot be read or written
    exit_device = 5,       // the device or its driver
    exit_numeric = 6,      // NaN or Inf where a number is needed
    exit_memory = 7,       // no memory left on the device or the host, or more than --memory-limit
    exit_hangup = 129,     // SIGHUP: a training was saved; of a prediction no unfinished result is left
    exit_interrupt = 130,  // SIGINT: likewise
    exit_terminate = 143,  // SIGTERM: likewise
};

constexpr int exit_after_signal(int signal) { return 128 + signal; }

// Thrown where the text asked for (help, version) is all there is to do.
struct TextRequested {
    std::string text;
};

// Runs f and returns its exit code, or that of the exception it threw, after one line "atrous: …" on stderr. Output to
// stdout that cannot be written (a full disk behind `>`) is an error too. Where a pipe's reader is gone nothing is
// said: the exit code is f's, or exit_io where f was cut short by it. Control characters in a message are printed as ?.
int run_guarded(const std::function<int()>& f);

}  // namespace atrous::app
