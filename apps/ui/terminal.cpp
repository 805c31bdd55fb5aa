#include "apps/ui/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

namespace atrous::app {
namespace {

// Standard output may be a stream that is no file by itself (apps/ui/plain_output.h).
int number_of(std::FILE* stream) { return stream == stdout ? STDOUT_FILENO : ::fileno(stream); }

}  // namespace

bool is_terminal(std::FILE* stream) {
    const char* kind = std::getenv("TERM");
    return ::isatty(number_of(stream)) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

int terminal_width(std::FILE* stream, int otherwise) {
    winsize size{};
    if (::ioctl(number_of(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char* columns = std::getenv("COLUMNS");
    const int n = columns == nullptr ? 0 : std::atoi(columns);
    return n > 0 ? n : otherwise;
}

bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == 0) continue;  // the first that is set decides
        const std::string_view locale = value;
        return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
    }
    return false;
}

}  // namespace atrous::app
