// Barriers beyond __syncthreads, emulated: mbarriers in shared memory, which count arrivals of threads and bytes of
// copies, named barriers, and the fence between ordinary accesses and those of the copy unit and of wgmma.
#pragma once

#include <platform/language.h>

#include <cstdint>

namespace atrous::gpu {

// In shared memory. A phase completes when `count` threads have arrived and all bytes that they expect were copied; the
// next one begins at once. The first phase has parity 0, the second 1, and so on in turns.
struct alignas(8) MBarrier {
    uint64_t bits;
};

// One thread does this, then fence_mbarrier_init; the others meet a __syncthreads after it.
inline void mbarrier_init(MBarrier* b, unsigned count, emu::Where where = emu::Where::current()) {
    emu::mbarrier_init(b, count, where);
}

// Makes mbarriers that this thread has initialized known to the copy unit.
inline void fence_mbarrier_init() { emu::fence_mbarrier_init(); }

inline void mbarrier_arrive(MBarrier* b, emu::Where where = emu::Where::current()) {
    emu::mbarrier_arrive(b, 0, "mbarrier_arrive", where);
}

// Arrives, and makes the phase wait for `bytes` more bytes of copies.
inline void mbarrier_arrive_expect_tx(MBarrier* b, unsigned bytes, emu::Where where = emu::Where::current()) {
    emu::mbarrier_arrive(b, bytes, "mbarrier_arrive_expect_tx", where);
}

// Whether the phase of this parity has completed; waits for it a little.
inline bool mbarrier_try_wait(MBarrier* b, unsigned parity, emu::Where where = emu::Where::current()) {
    return emu::mbarrier_try_wait(b, parity, where);
}

inline void mbarrier_wait(MBarrier* b, unsigned parity, emu::Where where = emu::Where::current()) {
    emu::mbarrier_wait(b, parity, where);
}

// A barrier of `threads` threads of the block, a multiple of 32; ids 1 to 15 (0 is __syncthreads).
inline void named_barrier_sync(unsigned id, unsigned threads, emu::Where where = emu::Where::current()) {
    emu::named_barrier(id, threads, true, where);
}
// Arrives there without waiting.
inline void named_barrier_arrive(unsigned id, unsigned threads, emu::Where where = emu::Where::current()) {
    emu::named_barrier(id, threads, false, where);
}

// Orders this thread's ordinary accesses to shared memory before later ones by the copy unit and by wgmma. Threads that
// wrote what those are to read call it between the write and the barrier that tells of it.
inline void fence_proxy_async() { emu::fence_proxy_async(); }

}  // namespace atrous::gpu
