#include "base/text_columns.h"

#include <algorithm>

namespace atrous {

static bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

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

}  // namespace atrous
