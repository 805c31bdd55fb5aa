#include "apps/job_control.h"

namespace atrous::app {

static volatile std::sig_atomic_t asked = 0;

static void on_stop(int) { asked = 1; }

static void watch() {
    struct sigaction action = {};
    action.sa_handler = on_stop;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGTSTP, &action, nullptr);
}

JobControl::JobControl() {
    sigaction(SIGTSTP, nullptr, &before_);
    watches_ = before_.sa_handler != SIG_IGN;
    if (watches_) watch();
}

JobControl::~JobControl() {
    if (watches_) sigaction(SIGTSTP, &before_, nullptr);
    if (asked) std::raise(SIGTSTP);
    asked = 0;
}

bool JobControl::is_asked() const { return asked != 0; }

void JobControl::stop_here() {
    asked = 0;
    std::signal(SIGTSTP, SIG_DFL);
    std::raise(SIGTSTP);
    watch();
}

}  // namespace atrous::app
