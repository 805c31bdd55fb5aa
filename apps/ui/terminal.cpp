#include "apps/ui/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace atrous::app {
namespace {

// Standard output may be a stream that is no file by itself (apps/ui/plain_output.h).
int number_of(std::FILE* stream) { return stream == stdout ? STDOUT_FILENO : ::fileno(stream); }

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

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

int columns_of(std::string_view utf8) {
    int n = 0;
    for (const char c : utf8) n += !continues_character(c);
    return n;
}

std::string cut_to_columns(std::string_view utf8, int columns) {
    size_t at = 0;
    for (int n = 0; at < utf8.size(); ++at)
        if (!continues_character(utf8[at]) && n++ == columns) break;
    return std::string(utf8.substr(0, at));
}

std::vector<std::string> wrap(std::string_view text, int columns) {
    std::vector<std::string> lines(1);
    while (!text.empty()) {
        const size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(space == text.npos ? text.size() : space + 1);
        if (!lines.back().empty() && columns_of(lines.back()) + 1 + columns_of(word) > columns) lines.emplace_back();
        if (!lines.back().empty()) lines.back() += ' ';
        lines.back() += word;
    }
    return lines;
}

}  // namespace atrous::app
