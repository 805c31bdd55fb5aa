#include "apps/traced_program.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/posix.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/trace.h"

namespace atrous::app {

namespace fs = std::filesystem;

constexpr const char* round_mark = "ATROUS_TRACED_BY";  // set while one program starts the other

static fs::path traced_program() {
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    const fs::path beside = here / "atrous-traced";
    const fs::path installed = (here / ATROUS_LIBEXEC / "atrous-traced").lexically_normal();
    for (const fs::path& place : {beside, installed})
        if (fs::exists(place)) return place;
    throw IoError(fmt::format(
        "atrous-traced is neither {} nor {}; expected this second program there, which records what kernels do: build "
        "with ATROUS_TRACED=ON on the emulated platform, or install the whole package",
        beside.string(), installed.string()));
}

static std::vector<std::string> own_arguments() {
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::string> arguments;
    for (size_t at = 0; at < all.size(); at += arguments.back().size() + 1) arguments.emplace_back(&all[at]);
    return arguments;
}

void become_traced_program() {
    std::string why;
    if (gpu::can_trace(&why)) {
        ::unsetenv(round_mark);
        return;
    }
    if (gpu::platform() != gpu::Platform::emulated)
        throw UsageError(why + "; expected a build of the emulated platform");
    if (const char* const first = std::getenv(round_mark))
        throw IoError(
            fmt::format("{}, started by {} to record kernels: {}; expected the atrous-traced of the same build",
                        fs::read_symlink("/proc/self/exe").string(), first, why));
    const std::string program = traced_program().string();
    std::vector<std::string> arguments = own_arguments();
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    ::setenv(round_mark, fs::read_symlink("/proc/self/exe").c_str(), 1);
    std::fflush(nullptr);
    ::execv(program.c_str(), argv.data());
    throw io::system_error("cannot start " + program, errno);
}

}  // namespace atrous::app
