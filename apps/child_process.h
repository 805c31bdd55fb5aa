// Another process of this same program, for work whose crash or lack of memory is to stop nothing else.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/posix.h"

namespace atrous::app {

// The child says nothing on standard output; its standard error is kept in memory. It has a process group of its own, so
// that a terminal's Ctrl-C reaches it through send() alone, once. It is killed where this process ends before it.
class ChildProcess {
 public:
    // `config`: the text of a configuration file, which is passed as --config behind the arguments; empty: none. IoError.
    ChildProcess(std::vector<std::string> arguments, const std::string& config);
    ~ChildProcess();
    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;

    void send(int signal) const;
    // The exit code, 128 and the number of a signal that ended it; nothing while it runs.
    std::optional<int> exit_code();
    void wait() noexcept;  // until it has ended
    // The last line that it said of why it ended, without the program's name; "ended by signal 9 (Killed)" where it
    // could not say anything.
    std::string complaint() const;

 private:
    pid_t pid_ = -1;
    io::FileDescriptor said_;
    std::optional<int> code_;
    int signal_ = 0;  // that ended it
};

}  // namespace atrous::app
