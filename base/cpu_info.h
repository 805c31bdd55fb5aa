// Reads what Linux says of the processor.
#pragma once

#include <fstream>
#include <string>

namespace atrous::io {

// The first line of /proc/cpuinfo that begins with `key`, after its colon; empty where there is none.
inline std::string cpu_field(const std::string& key) {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.rfind(key, 0) == 0)
            if (const auto colon = line.find(": "); colon != std::string::npos) return line.substr(colon + 2);
    return "";
}

}  // namespace atrous::io
