// cp.async: 16-byte copies from global to shared memory that bypass registers (sm_80; synchronous before).
#pragma once

#include <platform/language.h>

namespace atrous::gpu {

// Starts a copy of 16 bytes; writes zeros where `valid` is false, and then gmem is not read.
__device__ __forceinline__ void cp_async16(void* smem, const void* gmem, bool valid = true) {
#if __CUDA_ARCH__ >= 800
    const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(smem));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(gmem), "r"(valid ? 16 : 0) : "memory");
#else
    *static_cast<uint4*>(smem) = valid ? *static_cast<const uint4*>(gmem) : make_uint4(0, 0, 0, 0);
#endif
}

// Closes a group of copies.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `Pending` of this thread's latest groups are incomplete. Other threads' copies need a barrier
// too.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

}  // namespace atrous::gpu
