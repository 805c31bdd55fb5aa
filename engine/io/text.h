// Quantities as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace atrous::io {

std::string format_bytes(uint64_t bytes);  // "512 B", "1.5 KiB", "23.4 MiB", "117 GiB"
std::string format_duration(
    double seconds);  // "0.25 s", "42 s", "3 min 05 s", "2 h 07 min", "4 d 03 h"; "?" if not finite
std::string in_quotes(
    std::string_view text);  // 'text' for a message: one line, cut at 80 bytes, control characters as ?
// For a terminal: control characters (below 0x20, 0x7f, and those of two bytes in UTF-8) as ?, all else as it is.
std::string printable(std::string_view text);

}  // namespace atrous::io
