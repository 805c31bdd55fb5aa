// A TOML file as a tree of values that know their lines.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace atrous::io {

struct TomlValue {
    enum class Kind { text, integer, number, boolean, list, table, other };  // other: a date or a time
    Kind kind = Kind::other;
    int line = 0;
    std::string text = {};                                        // of the first four
    std::vector<TomlValue> items = {};                            // of a list
    std::vector<std::pair<std::string, TomlValue>> entries = {};  // of a table, in the order of their lines
    bool is_single() const { return kind != Kind::list && kind != Kind::table; }
};

// What the file is, in messages.
struct TomlPurpose {
    const char* title;    // "configuration file"
    const char* example;  // a line of one: "batch-size = 8"
};

// The file's table. Throws IoError where it cannot be read, FormatError with file and line where it is no TOML, is
// larger than 1 MiB, or has a key of more than 16 parts.
TomlValue read_toml(const std::string& path, const TomlPurpose& purpose);
// Of a text that messages call `name`.
TomlValue parse_toml(const std::string& text, const std::string& name, const TomlPurpose& purpose);

}  // namespace atrous::io
