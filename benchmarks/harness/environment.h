// The machine and the program a measurement belongs to.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"

namespace atrous::bench {

// device, driver, clocks, versions, commit, threads, as text; what cannot be found out is left out.
std::vector<std::pair<std::string, std::string>> environment(Device device);

// Of the last level before memory: the cpu's from /sys, 32 MiB where that says nothing; a GPU's L2.
size_t cache_bytes(Device device);

}  // namespace atrous::bench
