// Names without regard to case and to the forms of Unicode: macOS writes an accent as a character of its own (NFD) and
// Hangul in its parts, other systems do not (NFC).
#include <cctype>

#include "base/text.h"
#include "data/pairing.h"
#include "data/utf8.h"

namespace atrous::data {

namespace {

// The small letters under the accents of U+00C0 to U+017F; '-' where a character is no accented letter.
constexpr std::string_view base_letters =
    "aaaaaa-ceeeeiiii-nooooo--uuuuy--aaaaaa-ceeeeiiii-nooooo--uuuuy-y"
    "aaaaaaccccccccdd--eeeeeeeeeegggggggghh--iiiiiiiii---jjkk-llllll----nnnnnn---oooooo--rrrrrrsssssssstttt--"
    "uuuuuuuuuuuuwwyyyzzzzzz-";
static_assert(base_letters.size() == 0x180 - 0xc0);

bool is_accent(char32_t code) { return code >= 0x300 && code < 0x370; }

char32_t folded(char32_t code) {
    if (code < 0x80) return char32_t(std::tolower(int(code)));
    if (code >= 0xc0 && code < 0x180 && base_letters[code - 0xc0] != '-') return char32_t(base_letters[code - 0xc0]);
    if (code >= 0x410 && code < 0x430) code += 0x20;  // Cyrillic
    return code == 0x439 ? 0x438 : code == 0x451 || code == 0x401 ? 0x435 : code;
}

void append_hangul(std::string& text, char32_t syllable) {
    const char32_t s = syllable - 0xac00, last = s % 28;
    append_utf8(text, 0x1100 + s / 588);
    append_utf8(text, 0x1161 + s % 588 / 28);
    if (last) append_utf8(text, 0x11a7 + last);
}

}  // namespace

std::string folded(const std::string& name) {
    std::string text;
    for (std::string_view rest = name; !rest.empty();) {
        const io::Character c = io::first_character(rest);
        if (c.code >= 0xac00 && c.code < 0xd7a4)
            append_hangul(text, c.code);
        else if (c.code == 0xfffd || c.code > 0xffff)
            text += rest.substr(0, c.bytes);
        else if (!is_accent(c.code))
            append_utf8(text, folded(c.code));
        rest.remove_prefix(c.bytes);
    }
    return text;
}

}  // namespace atrous::data
