// Ctrl-Z of a process whose children have process groups of their own: a terminal stops it alone.
#pragma once

#include <csignal>

namespace atrous::app {

// While it lives, SIGTSTP only asks to stop, unless it is ignored already. Whoever has asked is_asked() stops the children,
// then itself with stop_here(), which returns when the process goes on, and lets the children go on.
class JobControl {
 public:
    JobControl();
    ~JobControl();
    JobControl(const JobControl&) = delete;
    JobControl& operator=(const JobControl&) = delete;
    bool is_asked() const;
    // Stops as SIGTSTP does, so that the shell says so; where there is no shell that could let it go on it does not.
    void stop_here();

 private:
    struct sigaction before_ = {};
    bool watches_ = false;
};

}  // namespace atrous::app
