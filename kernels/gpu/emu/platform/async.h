// cp.async, emulated: a copy lands at the wait, and the destination holds NaNs until then.
#pragma once

#include <platform/language.h>

namespace atrous::gpu {

// Starts a copy of 16 bytes; writes zeros where `valid` is false, and then gmem is not read.
inline void cp_async16(void* smem, const void* gmem, bool valid = true, emu::Where where = emu::Where::current()) {
    emu::copy_async(smem, gmem, valid, where);
}

// Closes a group of copies.
inline void cp_async_commit(emu::Where where = emu::Where::current()) { emu::copy_async_commit(where); }

// Waits until at most `Pending` of this thread's latest groups are incomplete. Other threads' copies need a barrier
// too.
template <int Pending>
void cp_async_wait(emu::Where where = emu::Where::current()) {
    emu::copy_async_wait(Pending, where);
}

}  // namespace atrous::gpu
