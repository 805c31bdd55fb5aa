// What instrumented device code calls in a program that records: -fsanitize=thread announces loads and stores. (The
// races build has hooks of its own, hooks.cpp.) Nothing refers to these functions in an ordinary program, which is
// linked without them.
#ifndef ATROUS_CHECK_RACES
#include "kernels/gpu/emu/recorder.h"

extern "C" char __executable_start[];

using namespace atrous::gpu::emu;

static inline void hook(const void* p, size_t n, unsigned access, const void* pc) {
    if (!recorder || !W || !W->in_device) return;
    const Context& c = *W->current->context;
    if (uintptr_t(p) - uintptr_t(c.stack) < c.size) return;  // a thread's own variables
    const Pause pause;  // functions of the standard library may be a device file's copies
    recorder->access(uintptr_t(p), n, access, uint32_t(uintptr_t(pc) - uintptr_t(__executable_start)));
}

static void instrumentation_found() { hooked = true; }
#include "kernels/gpu/emu/instrumentation.inc"
#endif
