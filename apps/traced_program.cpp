#include "apps/traced_program.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
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

static fs::path traced_program() {
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    const fs::path places[] = {here / "atrous-traced", here.parent_path() / "libexec/atrous/atrous-traced"};
    for (const fs::path& place : places)
        if (fs::exists(place)) return place;
    throw IoError(fmt::format(
        "{} is not there: what a kernel does is recorded by this second program; build the target atrous-traced "
        "(an ordinary build of the emulated platform has it), or install the whole package",
        places[0].string()));
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
    if (gpu::can_trace(&why)) return;
    if (gpu::platform() != gpu::Platform::emulated)
        throw UsageError(why + "; expected a build of the emulated platform");
    const std::string program = traced_program().string();
    std::vector<std::string> arguments = own_arguments();
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    std::fflush(nullptr);
    ::execv(program.c_str(), argv.data());
    throw io::system_error("cannot start " + program, errno);
}

}  // namespace atrous::app
