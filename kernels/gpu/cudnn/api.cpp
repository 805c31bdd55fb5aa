#include "kernels/gpu/cudnn/api.h"

#include <algorithm>

namespace atrous::cudnn {

template <class Function>
static void look_up(Api& api, const char* name, Function*& function, std::string& missing) {
    function = reinterpret_cast<Function*>(api.library.symbol(name));
    if (!function && missing.empty()) missing = name;
}

OpenedApi open_api(const gpu::LibraryName& name) {
    auto api = std::make_shared<Api>();
    api->library = gpu::open_library(name);
    const gpu::FoundLibrary& found = api->library.found;
    const std::string title = name.title;
    if (!api->library.handle) return {nullptr, title + ": " + found.why_not};
    api->version = found.version, api->path = found.path;
    const std::string this_one = title + " " + found.version + " (" + found.path + ") ";
    if (api->library.version < oldest_version)
        return {nullptr, this_one + "is too old: 9.8 or newer is needed; name its folder in ATROUS_CUDA_LIBS"};
    std::string missing;
    look_up(*api, "cudnnCreate", api->create, missing);
    look_up(*api, "cudnnDestroy", api->destroy, missing);
    look_up(*api, "cudnnSetStream", api->set_stream, missing);
    look_up(*api, "cudnnGetErrorString", api->error_string, missing);
    look_up(*api, "cudnnGetLastErrorString", api->last_error_string, missing);
    look_up(*api, "cudnnBackendCreateDescriptor", api->create_descriptor, missing);
    look_up(*api, "cudnnBackendDestroyDescriptor", api->destroy_descriptor, missing);
    look_up(*api, "cudnnBackendFinalize", api->finalize, missing);
    look_up(*api, "cudnnBackendSetAttribute", api->set_attribute, missing);
    look_up(*api, "cudnnBackendGetAttribute", api->get_attribute, missing);
    look_up(*api, "cudnnBackendExecute", api->execute, missing);
    if (!missing.empty())
        return {nullptr, this_one + "has no " + missing + "; name the folder of another one in ATROUS_CUDA_LIBS"};
    return {std::move(api), ""};
}

// cuDNN's own words on the last failure of this thread, which asking for them clears.
static std::string last_words(const Api& api) {
    char text[1024] = "";
    api.last_error_string(text, sizeof text);
    text[sizeof text - 1] = 0;
    std::string words = text;
    std::replace_if(
        words.begin(), words.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    while (!words.empty() && words.back() == ' ') words.pop_back();
    return words;
}

static std::string failure_text(const Api& api, const std::string& call, Status status) {
    const std::string words = last_words(api);
    return "cuDNN " + api.version + ": " + call + " failed with " + api.error_string(status) + " (" +
           std::to_string(status) + ")" + (words.empty() ? "" : ": " + words) +
           "; `kernels` own computes without cuDNN";
}

Failure::Failure(const Api& api, const std::string& call, Status s) : GpuError(failure_text(api, call, s)), status(s) {}

void check(const Api& api, const char* call, Status status) {
    if (status != 0) throw Failure(api, call, status);
}

}  // namespace atrous::cudnn
