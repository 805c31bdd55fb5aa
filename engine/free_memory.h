// Tells how much memory is left on a device.
#pragma once

#include <cstddef>
#include <string>

#include "engine/device.h"

namespace atrous {

// Returns bytes. On a GPU its driver says what is free. The host has /proc/meminfo's MemAvailable, or what the
// process's control groups (versions 1 and 2, and their parents) or its limit on address space leave where that is
// less. Throws IoError where nothing can be read.
size_t free_memory_bytes(Device device);

// The host's, with another folder in place of / (for tests).
size_t free_host_memory_bytes(const std::string& root = "/");

}  // namespace atrous
