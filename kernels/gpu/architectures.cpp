#include "kernels/gpu/architectures.h"

#include <algorithm>
#include <charconv>

namespace atrous::gpu {

static bool runs(std::string_view architecture, int major, int minor) {
    int number = 0;
    const auto [end, error] = std::from_chars(architecture.data(), architecture.data() + architecture.size(), number);
    if (error != std::errc()) return !architecture.empty();  // "native", "all": whoever built it knows
    const std::string_view rest(end, size_t(architecture.data() + architecture.size() - end));
    const int of = number / 10, at_least = number % 10, capability = 10 * major + minor;
    if (rest.starts_with("a")) return capability == number;
    const bool machine_code = rest.find("virtual") == rest.npos, ptx = rest.find("real") == rest.npos;
    return (machine_code && major == of && minor >= at_least) || (ptx && capability >= number);
}

bool has_code(std::string_view architectures, int major, int minor) {
    while (!architectures.empty()) {
        const size_t end = std::min(architectures.find_first_of(";,"), architectures.size());
        if (runs(architectures.substr(0, end), major, minor)) return true;
        architectures.remove_prefix(std::min(end + 1, architectures.size()));
    }
    return false;
}

std::string architectures() {
#ifdef ATROUS_CUDA_ARCHITECTURES
    return ATROUS_CUDA_ARCHITECTURES;
#else
    return "";
#endif
}

}  // namespace atrous::gpu
