#include "apps/console.h"

#include <fmt/core.h>

#include <chrono>
#include <cstdio>

#include "apps/ui/terminal.h"
#include "base/settings.h"

namespace atrous::app {

static double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Console::~Console() { clear_line(); }

void Console::clear_line() {
    if (line_open_) std::fputs("\r\x1b[K", stderr);
    line_open_ = false;
}

void Console::text(const std::string& lines) {
    clear_line();
    fmt::print("{}", with_flags(lines));
    std::fflush(stdout);
}

void Console::warning(const std::string& line) { text("warning: " + line + "\n"); }

void Console::details(const std::string& lines) {
    clear_line();
    std::fflush(stdout);
    fmt::print(stderr, "{}", with_flags(lines));
}

void Console::progress(const std::string& work, int64_t done, int64_t of) {
    constexpr double redraw_s = 0.1, plain_s = 5;
    const double now = now_s();
    if (done >= of) return clear_line();
    if (last_s_ == 0 || done <= 1) last_s_ = now;  // short work needs no line
    if (now - last_s_ < redraw_s) return;
    static const bool terminal = is_terminal(stderr);
    if (!terminal && now - last_s_ < plain_s) return;
    last_s_ = now;
    line_open_ = terminal;
    fmt::print(stderr, "{}{} {} of {}{}", terminal ? "\r\x1b[K" : "", work, done, of, terminal ? "" : "\n");
}

}  // namespace atrous::app
