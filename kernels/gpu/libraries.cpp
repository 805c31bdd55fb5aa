#include "kernels/gpu/libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>

namespace atrous::gpu {

namespace fs = std::filesystem;

static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

static std::vector<std::string> split_at_colons(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ':');)
        if (!part.empty()) parts.push_back(part);
    return parts;
}

// The folders in `folder` whose names begin so, in alphabetical order. A folder that cannot be read has none.
static std::vector<fs::path> subfolders(const fs::path& folder, const std::string& beginning = "") {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        if (it->path().filename().string().rfind(beginning, 0) == 0 && it->is_directory(error))
            found.push_back(it->path());
    std::sort(found.begin(), found.end());
    return found;
}

// A wheel puts its libraries into <prefix>/lib/python3.N/site-packages/nvidia/<package>/lib.
static void add_wheels(const fs::path& prefix, std::vector<fs::path>& folders) {
    for (const fs::path& python : subfolders(prefix / "lib", "python3"))
        for (const char* packages : {"site-packages", "dist-packages"})
            for (const fs::path& package : subfolders(python / packages / "nvidia")) folders.push_back(package / "lib");
}

static std::vector<fs::path> python_prefixes() {
    std::vector<fs::path> prefixes;
    for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
        if (const std::string prefix = variable(name); !prefix.empty()) prefixes.push_back(prefix);
    for (const std::string& folder : split_at_colons(variable("PATH"))) {
        std::error_code error;
        const fs::path python = fs::path(folder) / "python3";
        if (!fs::exists(python, error)) continue;
        // A virtual environment's python3 is a link out of it, so where it lies comes before where it leads.
        prefixes.push_back(fs::path(folder).parent_path());
        prefixes.push_back(fs::canonical(python, error).parent_path().parent_path());
        break;
    }
    prefixes.insert(prefixes.end(), {"/usr/local", "/usr"});
    return prefixes;
}

std::vector<std::string> library_folders() {
    std::vector<fs::path> folders;
    for (const std::string& folder : split_at_colons(variable("ATROUS_CUDA_LIBS"))) folders.push_back(folder);
    for (const std::string& root : {variable("CUDA_HOME"), std::string("/usr/local/cuda")})
        if (!root.empty()) folders.push_back(fs::path(root) / "lib64");
    for (const fs::path& prefix : python_prefixes()) add_wheels(prefix, folders);

    std::vector<std::string> existing;
    for (const fs::path& folder : folders) {
        std::error_code error;
        const std::string path = folder.string();
        if (fs::is_directory(folder, error) && std::find(existing.begin(), existing.end(), path) == existing.end())
            existing.push_back(path);
    }
    return existing;
}

static std::string version_text(size_t v) {
    return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

static bool open_file(const std::string& file, const char* version_function, OpenLibrary& library) {
    const std::shared_ptr<void> handle(dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL), [](void* h) {
        if (h) dlclose(h);
    });
    if (!handle) {
        library.found.why_not = dlerror();
        return false;
    }
    const auto version = reinterpret_cast<size_t (*)()>(dlsym(handle.get(), version_function));
    if (!version) {
        library.found.why_not = file + " has no " + version_function;
        return false;
    }
    link_map* map = nullptr;
    dlinfo(handle.get(), RTLD_DI_LINKMAP, &map);
    library.version = version();
    library.found = {map && map->l_name[0] ? map->l_name : file, version_text(library.version), ""};
    library.handle = handle;
    return true;
}

void* OpenLibrary::symbol(const char* name) const { return handle ? dlsym(handle.get(), name) : nullptr; }

OpenLibrary open_library(const LibraryName& name) {
    OpenLibrary library;
    library.found.why_not = std::string(name.soname) + " is nowhere; name its folder in ATROUS_CUDA_LIBS";
    const auto try_folder = [&](const std::string& folder) {
        std::error_code error;
        const std::string file = (fs::path(folder) / name.soname).string();
        return fs::exists(file, error) && open_file(file, name.version_function, library);
    };
    for (const std::string& folder : split_at_colons(variable("ATROUS_CUDA_LIBS")))
        if (try_folder(folder)) return library;
    OpenLibrary by_loader;
    if (open_file(name.soname, name.version_function, by_loader)) return by_loader;
    for (const std::string& folder : library_folders())
        if (try_folder(folder)) return library;
    return library;
}

FoundLibrary find_library(const LibraryName& name) { return open_library(name).found; }

}  // namespace atrous::gpu
