// Which GPUs a binary has code for.
#pragma once

#include <string>
#include <string_view>

namespace atrous::gpu {

// Whether code of one of these architectures, in CMake's words ("80-real,90a-real,90-virtual", or with semicolons),
// runs on a GPU of this compute capability. Machine code (real) runs on its own major version from its minor version up;
// PTX (virtual) on everything from its version up; either with an 'a' behind the number on exactly that one. "native" and
// "all" are taken to run.
// Source: CUDA C++ Programming Guide, Application Compatibility.
bool has_code(std::string_view architectures, int major, int minor);

// Those that this binary was built for; empty in the emulated platform.
std::string architectures();

}  // namespace atrous::gpu
