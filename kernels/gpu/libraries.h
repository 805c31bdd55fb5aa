// NVIDIA's libraries (cuDNN, cuBLASLt) where a machine has them: looked for at run time, never linked, so that a binary
// starts without them.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace atrous::gpu {

// A shared library by its soname, and its function `size_t version()`, which gives major * 10000 + minor * 100 + patch.
struct LibraryName {
    const char *title, *soname, *version_function;
};
inline constexpr LibraryName cudnn{"cuDNN", "libcudnn.so.9", "cudnnGetVersion"};
inline constexpr LibraryName cublaslt{"cuBLASLt", "libcublasLt.so.13", "cublasLtGetVersion"};

struct FoundLibrary {
    std::string path;     // the file that was opened; empty: none
    std::string version;  // "9.13.0"
    std::string why_not;  // where none was opened: what was tried last, and what went wrong
};

// The folders in which NVIDIA's libraries are looked for, most wanted first; only those that exist: $ATROUS_CUDA_LIBS
// (folders between colons), the CUDA toolkit's, and nvidia/*/lib in the site-packages of $VIRTUAL_ENV, of
// $CONDA_PREFIX, of the python3 in $PATH, and of the system.
std::vector<std::string> library_folders();

// A library that stays open as long as one of these lives; handle is null where none was opened.
struct OpenLibrary {
    FoundLibrary found;
    size_t version = 0;  // as its version function says it
    std::shared_ptr<void> handle;
    void* symbol(const char* name) const;  // null where it has none of this name
};

// Opens the library and asks its version: from $ATROUS_CUDA_LIBS, else where the loader finds it, else from
// library_folders().
OpenLibrary open_library(const LibraryName& name);
// The same, and closes it again.
FoundLibrary find_library(const LibraryName& name);

}  // namespace atrous::gpu
