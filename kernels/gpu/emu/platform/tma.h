// TMA, emulated: one thread has boxes of arrays copied between global and shared memory. A load lands when no thread
// can go on without it, a store at the wait.
#pragma once

#include <platform/barriers.h>
#include <platform/language.h>

#include "kernels/gpu/tensor_map.h"

namespace atrous::gpu {

// Starts copying the box whose first element has the indices `at`, innermost first, to shared memory, which is aligned
// to 128 bytes, or to 1024 with the swizzle. Its bytes, zeros outside of the array included, count at the barrier.
template <int Rank>
void tma_load(const TensorMap& map, const int (&at)[Rank], void* smem, MBarrier* barrier,
              emu::Where where = emu::Where::current()) {
    static_assert(Rank >= 2 && Rank <= 5);
    emu::tma_load(map, Rank, at, smem, barrier, where);
}

// Starts copying a box from shared memory; what lies outside of the array is not written.
template <int Rank>
void tma_store(const TensorMap& map, const int (&at)[Rank], const void* smem,
               emu::Where where = emu::Where::current()) {
    static_assert(Rank >= 2 && Rank <= 5);
    emu::tma_store(map, Rank, at, smem, where);
}

// Closes a group of this thread's stores.
inline void tma_store_commit() { emu::tma_store_commit(); }

// Waits until all but this thread's latest `Pending` groups have read shared memory, which may then be written again.
template <int Pending>
void tma_store_wait_read(emu::Where where = emu::Where::current()) {
    emu::tma_store_wait(Pending, true, where);
}

// Waits until all but this thread's latest `Pending` groups are done.
template <int Pending>
void tma_store_wait(emu::Where where = emu::Where::current()) {
    emu::tma_store_wait(Pending, false, where);
}

}  // namespace atrous::gpu
