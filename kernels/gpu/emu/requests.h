// What the hardware makes of one memory instruction of one warp: sectors of global memory, turns at the banks of shared
// memory. The rules are those of kernels/gpu/trace.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gpu/trace.h"

namespace atrous::gpu::emu {

constexpr unsigned sector_bytes = 32, bank_bytes = 4, banks = 32;

struct LaneAccess {
    uintptr_t address = 0;
    unsigned lane = 0, bytes = 0;  // at most 16
};

GlobalCounters global_request(const LaneAccess* lanes, size_t count);
SharedCounters shared_request(const LaneAccess* lanes, size_t count);
unsigned most_on_one_address(const LaneAccess* lanes, size_t count);

}  // namespace atrous::gpu::emu
