#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace atrous::io {

std::string format_bytes(uint64_t bytes) {
    static constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);
    double value = double(bytes) / 1024;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < std::size(units); ++unit) value /= 1024;  // never four digits before the point
    return fmt::format("{:.{}f} {}", value, value < 99.95 ? 1 : 0, units[unit]);
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds)) return "?";
    if (seconds < 0) return "-" + format_duration(-seconds);
    if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
    const uint64_t s = seconds < 1e15 ? uint64_t(std::llround(seconds)) : uint64_t(1e15);
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
    if (s < 86400) return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
    return fmt::format("{} d {:02} h", s / 86400, s / 3600 % 24);
}

// Bytes of the UTF-8 character that the text begins with; 0 where it begins with none.
static size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool surrogate = first == 0xed && byte(1) >= 0xa0, beyond = first == 0xf4 && byte(1) >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

Character first_character(std::string_view text) {
    const size_t length = utf8_length(text);
    if (length == 0) return {U'\ufffd', 1};
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 1) return {first, 1};
    char32_t code = first & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
    return {code, length};
}

// Whether the text begins with one of the characters that stand for a byte.
static bool is_escaped_byte(std::string_view text) {
    return text.size() >= 4 && text.starts_with("\xf4\x8f") && (text[2] == '\xbe' || text[2] == '\xbf');
}

std::string as_utf8(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
        const size_t length = is_escaped_byte(bytes) ? 0 : utf8_length(bytes);
        if (length > 0) {
            text += bytes.substr(0, length);
        } else {
            const auto byte = static_cast<unsigned char>(bytes[0]);
            text += {'\xf4', '\x8f', byte < 0xc0 ? '\xbe' : '\xbf', char(0x80 | (byte & 0x3f))};
        }
        bytes.remove_prefix(std::max<size_t>(length, 1));
    }
    return text;
}

std::string from_utf8(std::string_view text) {
    std::string bytes;
    while (!text.empty()) {
        const bool escaped = is_escaped_byte(text);
        bytes += escaped ? char((text[2] == '\xbe' ? 0x80 : 0xc0) | (text[3] & 0x3f)) : text[0];
        text.remove_prefix(escaped ? 4 : 1);
    }
    return bytes;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    return out;
}

std::string in_quotes(std::string_view text) {
    constexpr size_t limit = 80;
    std::string out = "'";
    size_t end = text.size();
    if (end > limit)  // cut before a character, not inside one
        for (end = limit; end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80;) --end;
    return out + printable(text.substr(0, end)) + (end < text.size() ? "…'" : "'");
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F: some terminals take U+009B for the beginning of an escape sequence.
        const bool wide = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) - 0x80u < 0x20;
        out += c < 32 || c == 127 || wide ? '?' : text[i];
        i += wide;
    }
    return out;
}

}  // namespace atrous::io
