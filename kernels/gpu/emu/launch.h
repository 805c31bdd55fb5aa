// What runtime.cpp asks of the rest of the emulator: each of these acts at once.
#pragma once

#include <cstddef>

#include "kernels/gpu/emu/services.h"

namespace atrous::gpu::emu {

void run(const Call& call, int device);  // throws GpuError with every diagnostic
void copy_now(void* to, const void* from, size_t bytes);
void require_replayable(const void* p, size_t bytes);  // a recorded copy reads its memory at every replay
bool is_pageable(const void* p, size_t bytes);         // host memory that allocate_pinned did not give
void fill_now(void* to, int byte, size_t bytes);
void refuse_while_capturing(const char* call);

}  // namespace atrous::gpu::emu
