// Quantities as people read them, and text for files and terminals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace atrous::io {

std::string format_bytes(uint64_t bytes);  // "512 B", "1.5 KiB", "23.4 MiB", "117 GiB"
std::string format_duration(
    double seconds);  // "0.25 s", "42 s", "3 min 05 s", "2 h 07 min", "4 d 03 h"; "?" if not finite
std::string lower_case(std::string_view text);  // of the letters of ASCII
std::string in_quotes(
    std::string_view text);  // 'text' for a message: one line, cut at 80 bytes, control characters as ?
// A path may hold any bytes; TOML and JSON hold UTF-8 alone. Bytes that are none, 0x80 to 0xff, become the private
// characters U+10FF80 to U+10FFFF and come back as they were; all other text is the same in both forms.
std::string as_utf8(std::string_view bytes);
std::string from_utf8(std::string_view text);
// Makes text fit for a terminal: control characters (below 0x20, 0x7f, and those of two bytes in UTF-8) become ?, all
// else stays.
std::string printable(std::string_view text);

// The character that a text, which is not empty, begins with, and how many bytes it takes: U+FFFD and one byte where
// those are no UTF-8.
struct Character {
    char32_t code;
    size_t bytes;
};
Character first_character(std::string_view text);

}  // namespace atrous::io
