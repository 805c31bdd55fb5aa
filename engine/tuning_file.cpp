#include "engine/tuning_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/posix.h"
#include "engine/kernel_choice.h"
#include "kernels/gpu/runtime.h"

namespace atrous {

using kernels::TunedKernel;
using kernels::TunedKernels;
using nlohmann::json;

static constexpr const char* format = "atrous tuned kernels";
static constexpr int kernels_generation = 2;  // raised where our kernels change so that old timings say nothing

std::string tuning_machine(Device device) {
    const gpu::DeviceInfo info = gpu::device_info(device.index);
    const std::string libraries = libraries_on(device);
    return fmt::format("{}, capability {}.{}, {} multiprocessors; {}; {}; atrous {}, kernels {}", info.name, info.major,
                       info.minor, info.multiprocessors, gpu::versions(),
                       libraries.empty() ? "no libraries" : libraries, ATROUS_VERSION, kernels_generation);
}

std::string default_tuning_file() {
    const std::string cache = cache_folder();
    return cache.empty() ? "" : cache + "/kernels.json";
}

// ---- as JSON --------------------------------------------------------------------------------------------------------
static json object_of(const TunedKernels& kernels) {
    json object = json::object();
    for (const auto& [problem, k] : kernels.all())
        object[problem] = {{"by", k.implementation}, {"way", k.way}, {"ms", k.ms}};
    return object;
}

// Throws json::exception.
static TunedKernels kernels_of(const json& object) {
    TunedKernels kernels;
    if (!object.is_object()) throw json::other_error::create(501, "it is no object", &object);
    for (const auto& [problem, k] : object.items())
        kernels.set(problem, {k.at("by").get<std::string>(), k.at("way").get<std::string>(), k.at("ms").get<double>()});
    return kernels;
}

std::string tuning_json(const TunedKernels& kernels) { return object_of(kernels).dump(); }

TunedKernels parse_tuning(const std::string& text, const std::string& where) {
    try {
        return kernels_of(json::parse(text));
    } catch (const json::exception& e) {
        throw FormatError(where + ": its tuned kernels cannot be read: " + e.what());
    }
}

// ---- the file -------------------------------------------------------------------------------------------------------
namespace {

enum class Found { nothing, ours, damaged, foreign };

struct Contents {
    Found found = Found::nothing;
    json machines = json::object();
};

// A file of ours begins with its mark, whatever became of the rest.
std::string mark() { return fmt::format("{{\"format\":\"{}\"", format); }

Contents read(const std::string& path) {
    if (!path_exists(path)) return {};
    const io::FileDescriptor file = io::open_for_reading(path);
    std::string text(size_t(io::stamp_of(file, path).bytes), '\0');
    text.resize(io::read_at(file, text.data(), text.size(), 0, path));
    if (!text.starts_with(mark())) return {text.empty() ? Found::damaged : Found::foreign};
    try {
        Contents c{Found::ours, json::parse(text).at("machines")};
        if (!c.machines.is_object()) return {Found::damaged};
        for (const auto& [machine, kernels] : c.machines.items()) kernels_of(kernels);
        return c;
    } catch (const json::exception&) {
        return {Found::damaged};
    }
}

std::string text_of(const json& machines) {
    return mark() + ",\"machines\":" + machines.dump(1, ' ', false, json::error_handler_t::replace) + "}\n";
}

// Others wait for this process while it lives.
io::FileDescriptor locked(const std::string& path) {
    io::FileDescriptor lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock) throw io::system_error("cannot make " + path + ".lock", errno);
    while (::flock(lock.get(), LOCK_EX) != 0)
        if (errno != EINTR) throw io::system_error("cannot lock " + path + ".lock", errno);
    return lock;
}

}  // namespace

TunedKernels load_tuning(const std::string& path, const std::string& machine, std::string* problem) {
    try {
        const Contents c = read(path);
        if (c.found == Found::ours && c.machines.contains(machine)) return kernels_of(c.machines.at(machine));
        if (c.found == Found::damaged) *problem = path + ": damaged; its timings are not used and will be replaced";
        if (c.found == Found::foreign)
            *problem = path + ": is no file of timings and is not used; name another with `tune-file`";
    } catch (const IoError& e) {
        *problem = std::string(e.what()) + "; the timings there are not used";
    }
    return {};
}

std::string save_tuning(const std::string& path, const std::string& machine, const TunedKernels& kernels) {
    try {
        if (const std::string folder = std::filesystem::path(path).parent_path().string(); !folder.empty())
            make_folders(folder);
        const io::FileDescriptor lock = locked(path);
        Contents c = read(path);
        if (c.found == Found::foreign)
            return path + ": is no file of timings and is left as it is; name another with `tune-file`";
        json& mine = c.machines[machine];
        if (!mine.is_object()) mine = json::object();
        mine.update(object_of(kernels));
        io::write_durably(path, text_of(c.machines));
        return "";
    } catch (const IoError& e) {
        return std::string(e.what()) + "; the timings are not kept";
    }
}

}  // namespace atrous
