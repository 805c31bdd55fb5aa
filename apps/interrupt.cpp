#include "apps/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <initializer_list>

namespace atrous::app {

static volatile std::sig_atomic_t received = 0;
static const char* volatile unfinished = "";

static void say(const char* text) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

static void on_signal(int signal) {
    if (received && signal == SIGHUP) return;  // a terminal that closes sends it, and its shell once more
    if (received) _exit(128 + signal);
    received = signal;
    say("\natrous: stopping after this ");
    say(unfinished);
    say("; once more to stop at once\n");
}

void watch_interrupts(const char* part) {
    unfinished = part;
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    struct sigaction inherited = {};
    sigaction(SIGHUP, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup keeps its meaning
}

void unwatch_interrupts() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction now = {};
        sigaction(signal, nullptr, &now);
        if (now.sa_handler == on_signal) std::signal(signal, SIG_DFL);
    }
}

int interrupt_signal() { return received; }

}  // namespace atrous::app
