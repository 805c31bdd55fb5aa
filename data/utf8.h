// Characters as UTF-8.
#pragma once

#include <string>

namespace atrous::data {

inline void append_utf8(std::string& text, char32_t code) {
    if (code < 0x80)
        text += char(code);
    else if (code < 0x800)
        text += {char(0xc0 | code >> 6), char(0x80 | (code & 63))};
    else if (code < 0x10000)
        text += {char(0xe0 | code >> 12), char(0x80 | (code >> 6 & 63)), char(0x80 | (code & 63))};
    else
        text += {char(0xf0 | code >> 18), char(0x80 | (code >> 12 & 63)), char(0x80 | (code >> 6 & 63)),
                 char(0x80 | (code & 63))};
}

}  // namespace atrous::data
