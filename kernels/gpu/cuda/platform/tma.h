// TMA: one thread has boxes of arrays copied between global and shared memory (sm_90; older architectures trap).
// Source: PTX ISA, cp.async.bulk.tensor, tile mode.
#pragma once

#include <platform/barriers.h>
#include <platform/language.h>

#include "kernels/gpu/tensor_map.h"

namespace atrous::gpu {

// Starts copying the box whose first element has the indices `at`, innermost first, to shared memory, which is aligned
// to 128 bytes, or to 1024 with the swizzle. Its bytes, zeros outside of the array included, count at the barrier.
template <int Rank>
__device__ __forceinline__ void tma_load(const TensorMap& map, const int (&at)[Rank], void* smem, MBarrier* barrier) {
    static_assert(Rank >= 2 && Rank <= 5);
#if __CUDA_ARCH__ >= 900
    const unsigned to = cuda::shared_address(smem), b = cuda::shared_address(barrier);
    if constexpr (Rank == 2)
        asm volatile(
            "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
                "r"(to),
            "l"(&map), "r"(b), "r"(at[0]), "r"(at[1])
            : "memory");
    else if constexpr (Rank == 3)
        asm volatile(
            "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
            "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
            "l"(&map), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2])
            : "memory");
    else if constexpr (Rank == 4)
        asm volatile(
            "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
            "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
            "l"(&map), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
            : "memory");
    else
        asm volatile(
            "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes "
            "[%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(to),
            "l"(&map), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
            : "memory");
#else
    __trap();
#endif
}

// Starts copying a box from shared memory; what lies outside of the array is not written.
template <int Rank>
__device__ __forceinline__ void tma_store(const TensorMap& map, const int (&at)[Rank], const void* smem) {
    static_assert(Rank >= 2 && Rank <= 5);
#if __CUDA_ARCH__ >= 900
    const unsigned from = cuda::shared_address(smem);
    if constexpr (Rank == 2)
        asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
                     "r"(from), "r"(at[0]), "r"(at[1])
                     : "memory");
    else if constexpr (Rank == 3)
        asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
                     "r"(from), "r"(at[0]), "r"(at[1]), "r"(at[2])
                     : "memory");
    else if constexpr (Rank == 4)
        asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
                     "r"(from), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
                     : "memory");
    else
        asm volatile(
            "cp.async.bulk.tensor.5d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(&map),
            "r"(from), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
            : "memory");
#else
    __trap();
#endif
}

// Closes a group of this thread's stores.
__device__ __forceinline__ void tma_store_commit() {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
}

// Waits until all but this thread's latest `Pending` groups have read shared memory, which may then be written again.
template <int Pending>
__device__ __forceinline__ void tma_store_wait_read() {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
#endif
}

// Waits until all but this thread's latest `Pending` groups are done.
template <int Pending>
__device__ __forceinline__ void tma_store_wait() {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

}  // namespace atrous::gpu
