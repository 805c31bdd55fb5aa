#include "engine/io/text.h"

#include <fmt/core.h>

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
