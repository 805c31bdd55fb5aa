// Barriers beyond __syncthreads: mbarriers in shared memory (sm_90; older architectures trap), which count arrivals of
// threads and bytes of copies, named barriers, and the fence between ordinary accesses and those of the copy unit and
// of wgmma (the async proxy).
// Source: PTX ISA, mbarrier, barrier.sync, fence.proxy.async.
#pragma once

#include <platform/language.h>

#include <cstdint>

namespace atrous::gpu {

// In shared memory. A phase completes when `count` threads have arrived and all bytes that they expect were copied; the
// next one begins at once. The first phase has parity 0, the second 1, and so on in turns.
struct alignas(8) MBarrier {
    uint64_t bits;
};

namespace cuda {
__device__ __forceinline__ unsigned shared_address(const void* p) {
    return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
}  // namespace cuda

// One thread does this, then fence_mbarrier_init; the others meet a __syncthreads after it.
__device__ __forceinline__ void mbarrier_init(MBarrier* b, unsigned count) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(cuda::shared_address(b)), "r"(count) : "memory");
#else
    __trap();
#endif
}

// Makes mbarriers that this thread has initialized known to the copy unit.
__device__ __forceinline__ void fence_mbarrier_init() {
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
    __trap();
#endif
}

__device__ __forceinline__ void mbarrier_arrive(MBarrier* b) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(cuda::shared_address(b)) : "memory");
#else
    __trap();
#endif
}

// Arrives, and makes the phase wait for `bytes` more bytes of copies.
__device__ __forceinline__ void mbarrier_arrive_expect_tx(MBarrier* b, unsigned bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(cuda::shared_address(b)), "r"(bytes)
                 : "memory");
#else
    __trap();
#endif
}

// Whether the phase of this parity has completed; waits for it a little.
__device__ __forceinline__ bool mbarrier_try_wait(MBarrier* b, unsigned parity) {
#if __CUDA_ARCH__ >= 900
    unsigned done;
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(cuda::shared_address(b)), "r"(parity)
        : "memory");
    return done != 0;
#else
    __trap();
    return true;
#endif
}

__device__ __forceinline__ void mbarrier_wait(MBarrier* b, unsigned parity) {
    while (!mbarrier_try_wait(b, parity)) {
    }
}

// A barrier of `threads` threads of the block, a multiple of 32; ids 1 to 15 (0 is __syncthreads).
__device__ __forceinline__ void named_barrier_sync(unsigned id, unsigned threads) {
    asm volatile("barrier.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
// Arrives there without waiting.
__device__ __forceinline__ void named_barrier_arrive(unsigned id, unsigned threads) {
    asm volatile("barrier.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// Orders this thread's ordinary accesses to shared memory before later ones by the copy unit and by wgmma. Threads that
// wrote what those are to read call it between the write and the barrier that tells of it.
__device__ __forceinline__ void fence_proxy_async() {
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
    __trap();
#endif
}

}  // namespace atrous::gpu
