#include "apps/console.h"

#include <fmt/core.h>

#include <cstdio>

#include "base/settings.h"

namespace atrous::app {

void Console::text(const std::string& lines) {
    fmt::print("{}", with_flags(lines));
    std::fflush(stdout);
}

void Console::warning(const std::string& line) { text("warning: " + line + "\n"); }

void Console::details(const std::string& lines) {
    std::fflush(stdout);
    fmt::print(stderr, "{}", with_flags(lines));
}

}  // namespace atrous::app
