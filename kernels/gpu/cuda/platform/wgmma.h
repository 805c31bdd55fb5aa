// wgmma: products of a warpgroup, four warps from a multiple of four on, with operands in shared memory (sm_90a; elsewhere
// it traps). All 128 threads call every function here together.
// Source: PTX ISA, wgmma.mma_async, matrix descriptors, setmaxnreg.
#pragma once

#include <platform/barriers.h>
#include <platform/language.h>

#include <cstdint>

namespace atrous::gpu {

// Which index of an operand runs through neighbouring elements: k, or the one of rows (A) or columns (B).
enum class Major { k = 0, mn = 1 };

// Shared memory as wgmma reads it, in tiles of rows of 128 bytes with TMA's swizzle, aligned to 1024 bytes.
// Major::k: a tile's rows are those of A, or columns of B, and hold 64 values of k; one group of eight rows follows the
// other. 16 values of k further, the operand begins 32 bytes later.
// Major::mn: a tile's rows are values of k and hold 64 rows of A, or columns of B; the next 64 begin `stride_bytes` after.
// 16 values of k further, the operand begins 2048 bytes later.
template <Major major>
__device__ __forceinline__ uint64_t wgmma_operand(const void* tile, unsigned stride_bytes = 0) {
    const uint64_t leading = major == Major::k ? 1 : (stride_bytes >> 4) & 0x3fff;
    return (cuda::shared_address(tile) & 0x3ffff) >> 4 | leading << 16 | uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}

// Orders what this thread did to its accumulators before later products. It stands before the first product and
// wherever registers were touched since the last one.
__device__ __forceinline__ void wgmma_fence() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Closes a group of products.
__device__ __forceinline__ void wgmma_commit() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until all but the latest `Pending` groups are done. Until then accumulators must not be touched.
template <int Pending>
__device__ __forceinline__ void wgmma_wait() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#endif
}

// Waits until all groups are done, whose accumulators `d` were: no use of them is moved in front of the wait.
template <int Count>
__device__ __forceinline__ void wgmma_finish(float (&d)[Count]) {
    wgmma_wait<0>();
#pragma unroll
    for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// Gives registers of this warpgroup back, or takes some: how many each thread has afterwards.
template <int Count>
__device__ __forceinline__ void set_max_registers_down() {
    static_assert(Count >= 24 && Count <= 256 && Count % 8 == 0);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}
template <int Count>
__device__ __forceinline__ void set_max_registers_up() {
    static_assert(Count >= 24 && Count <= 256 && Count % 8 == 0);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}

namespace cuda {

// PTX wants every register by its number in a literal, so the lists are put together by the preprocessor: ATROUS_Gi
// names the four registers of eight columns, ATROUS_R the variables behind them.
// clang-format off
#define ATROUS_G1 "%0, %1, %2, %3"
#define ATROUS_G2 ATROUS_G1 ", %4, %5, %6, %7"
#define ATROUS_G3 ATROUS_G2 ", %8, %9, %10, %11"
#define ATROUS_G4 ATROUS_G3 ", %12, %13, %14, %15"
#define ATROUS_G5 ATROUS_G4 ", %16, %17, %18, %19"
#define ATROUS_G6 ATROUS_G5 ", %20, %21, %22, %23"
#define ATROUS_G7 ATROUS_G6 ", %24, %25, %26, %27"
#define ATROUS_G8 ATROUS_G7 ", %28, %29, %30, %31"
#define ATROUS_G9 ATROUS_G8 ", %32, %33, %34, %35"
#define ATROUS_G10 ATROUS_G9 ", %36, %37, %38, %39"
#define ATROUS_G11 ATROUS_G10 ", %40, %41, %42, %43"
#define ATROUS_G12 ATROUS_G11 ", %44, %45, %46, %47"
#define ATROUS_G13 ATROUS_G12 ", %48, %49, %50, %51"
#define ATROUS_G14 ATROUS_G13 ", %52, %53, %54, %55"
#define ATROUS_G15 ATROUS_G14 ", %56, %57, %58, %59"
#define ATROUS_G16 ATROUS_G15 ", %60, %61, %62, %63"
#define ATROUS_G17 ATROUS_G16 ", %64, %65, %66, %67"
#define ATROUS_G18 ATROUS_G17 ", %68, %69, %70, %71"
#define ATROUS_G19 ATROUS_G18 ", %72, %73, %74, %75"
#define ATROUS_G20 ATROUS_G19 ", %76, %77, %78, %79"
#define ATROUS_G21 ATROUS_G20 ", %80, %81, %82, %83"
#define ATROUS_G22 ATROUS_G21 ", %84, %85, %86, %87"
#define ATROUS_G23 ATROUS_G22 ", %88, %89, %90, %91"
#define ATROUS_G24 ATROUS_G23 ", %92, %93, %94, %95"
#define ATROUS_G25 ATROUS_G24 ", %96, %97, %98, %99"
#define ATROUS_G26 ATROUS_G25 ", %100, %101, %102, %103"
#define ATROUS_G27 ATROUS_G26 ", %104, %105, %106, %107"
#define ATROUS_G28 ATROUS_G27 ", %108, %109, %110, %111"
#define ATROUS_G29 ATROUS_G28 ", %112, %113, %114, %115"
#define ATROUS_G30 ATROUS_G29 ", %116, %117, %118, %119"
#define ATROUS_G31 ATROUS_G30 ", %120, %121, %122, %123"
#define ATROUS_G32 ATROUS_G31 ", %124, %125, %126, %127"
#define ATROUS_R1(i) "+f"(d[4 * (i)]), "+f"(d[4 * (i) + 1]), "+f"(d[4 * (i) + 2]), "+f"(d[4 * (i) + 3])
#define ATROUS_R2(i) ATROUS_R1(i), ATROUS_R1((i) + 1)
#define ATROUS_R4(i) ATROUS_R2(i), ATROUS_R2((i) + 2)
#define ATROUS_R8(i) ATROUS_R4(i), ATROUS_R4((i) + 4)
#define ATROUS_R16(i) ATROUS_R8(i), ATROUS_R8((i) + 8)
#define ATROUS_TYPED(columns, type, registers, a, b, p, ta, tb, ...)                                            \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" p ", 0;\n"                                               \
                 "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." type "." type " {" registers "}, %" a \
                 ", %" b ", p, 1, 1, %" ta ", %" tb ";\n}"                                                      \
                 : __VA_ARGS__                                                                                  \
                 : "l"(a_operand), "l"(b_operand), "r"(int(accumulate)), "n"(int(A)), "n"(int(B)))
#define ATROUS_PRODUCT(columns, registers, a, b, p, ta, tb, ...)                                 \
    if constexpr (N == columns) {                                                                \
        if constexpr (std::is_same_v<T, bf16>)                                                   \
            ATROUS_TYPED(#columns, "bf16", registers, #a, #b, #p, #ta, #tb, __VA_ARGS__);        \
        else                                                                                     \
            ATROUS_TYPED(#columns, "f16", registers, #a, #b, #p, #ta, #tb, __VA_ARGS__);         \
    }

template <class T, int N, Major A, Major B>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], uint64_t a_operand, uint64_t b_operand, bool accumulate) {
    ATROUS_PRODUCT(8, ATROUS_G1, 4, 5, 6, 7, 8, ATROUS_R1(0))
    ATROUS_PRODUCT(16, ATROUS_G2, 8, 9, 10, 11, 12, ATROUS_R2(0))
    ATROUS_PRODUCT(24, ATROUS_G3, 12, 13, 14, 15, 16, ATROUS_R2(0), ATROUS_R1(2))
    ATROUS_PRODUCT(32, ATROUS_G4, 16, 17, 18, 19, 20, ATROUS_R4(0))
    ATROUS_PRODUCT(40, ATROUS_G5, 20, 21, 22, 23, 24, ATROUS_R4(0), ATROUS_R1(4))
    ATROUS_PRODUCT(48, ATROUS_G6, 24, 25, 26, 27, 28, ATROUS_R4(0), ATROUS_R2(4))
    ATROUS_PRODUCT(56, ATROUS_G7, 28, 29, 30, 31, 32, ATROUS_R4(0), ATROUS_R2(4), ATROUS_R1(6))
    ATROUS_PRODUCT(64, ATROUS_G8, 32, 33, 34, 35, 36, ATROUS_R8(0))
    ATROUS_PRODUCT(72, ATROUS_G9, 36, 37, 38, 39, 40, ATROUS_R8(0), ATROUS_R1(8))
    ATROUS_PRODUCT(80, ATROUS_G10, 40, 41, 42, 43, 44, ATROUS_R8(0), ATROUS_R2(8))
    ATROUS_PRODUCT(88, ATROUS_G11, 44, 45, 46, 47, 48, ATROUS_R8(0), ATROUS_R2(8), ATROUS_R1(10))
    ATROUS_PRODUCT(96, ATROUS_G12, 48, 49, 50, 51, 52, ATROUS_R8(0), ATROUS_R4(8))
    ATROUS_PRODUCT(104, ATROUS_G13, 52, 53, 54, 55, 56, ATROUS_R8(0), ATROUS_R4(8), ATROUS_R1(12))
    ATROUS_PRODUCT(112, ATROUS_G14, 56, 57, 58, 59, 60, ATROUS_R8(0), ATROUS_R4(8), ATROUS_R2(12))
    ATROUS_PRODUCT(120, ATROUS_G15, 60, 61, 62, 63, 64, ATROUS_R8(0), ATROUS_R4(8), ATROUS_R2(12), ATROUS_R1(14))
    ATROUS_PRODUCT(128, ATROUS_G16, 64, 65, 66, 67, 68, ATROUS_R16(0))
    ATROUS_PRODUCT(136, ATROUS_G17, 68, 69, 70, 71, 72, ATROUS_R16(0), ATROUS_R1(16))
    ATROUS_PRODUCT(144, ATROUS_G18, 72, 73, 74, 75, 76, ATROUS_R16(0), ATROUS_R2(16))
    ATROUS_PRODUCT(152, ATROUS_G19, 76, 77, 78, 79, 80, ATROUS_R16(0), ATROUS_R2(16), ATROUS_R1(18))
    ATROUS_PRODUCT(160, ATROUS_G20, 80, 81, 82, 83, 84, ATROUS_R16(0), ATROUS_R4(16))
    ATROUS_PRODUCT(168, ATROUS_G21, 84, 85, 86, 87, 88, ATROUS_R16(0), ATROUS_R4(16), ATROUS_R1(20))
    ATROUS_PRODUCT(176, ATROUS_G22, 88, 89, 90, 91, 92, ATROUS_R16(0), ATROUS_R4(16), ATROUS_R2(20))
    ATROUS_PRODUCT(184, ATROUS_G23, 92, 93, 94, 95, 96, ATROUS_R16(0), ATROUS_R4(16), ATROUS_R2(20), ATROUS_R1(22))
    ATROUS_PRODUCT(192, ATROUS_G24, 96, 97, 98, 99, 100, ATROUS_R16(0), ATROUS_R8(16))
    ATROUS_PRODUCT(200, ATROUS_G25, 100, 101, 102, 103, 104, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R1(24))
    ATROUS_PRODUCT(208, ATROUS_G26, 104, 105, 106, 107, 108, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R2(24))
    ATROUS_PRODUCT(216, ATROUS_G27, 108, 109, 110, 111, 112, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R2(24), ATROUS_R1(26))
    ATROUS_PRODUCT(224, ATROUS_G28, 112, 113, 114, 115, 116, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R4(24))
    ATROUS_PRODUCT(232, ATROUS_G29, 116, 117, 118, 119, 120, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R4(24), ATROUS_R1(28))
    ATROUS_PRODUCT(240, ATROUS_G30, 120, 121, 122, 123, 124, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R4(24), ATROUS_R2(28))
    ATROUS_PRODUCT(248, ATROUS_G31, 124, 125, 126, 127, 128, ATROUS_R16(0), ATROUS_R8(16), ATROUS_R4(24), ATROUS_R2(28), ATROUS_R1(30))
    ATROUS_PRODUCT(256, ATROUS_G32, 128, 129, 130, 131, 132, ATROUS_R16(0), ATROUS_R16(16))
}
#undef ATROUS_G32
#undef ATROUS_G31
#undef ATROUS_G30
#undef ATROUS_G29
#undef ATROUS_G28
#undef ATROUS_G27
#undef ATROUS_G26
#undef ATROUS_G25
#undef ATROUS_G24
#undef ATROUS_G23
#undef ATROUS_G22
#undef ATROUS_G21
#undef ATROUS_G20
#undef ATROUS_G19
#undef ATROUS_G18
#undef ATROUS_G17
#undef ATROUS_G16
#undef ATROUS_G15
#undef ATROUS_G14
#undef ATROUS_G13
#undef ATROUS_G12
#undef ATROUS_G11
#undef ATROUS_G10
#undef ATROUS_G9
#undef ATROUS_G8
#undef ATROUS_G7
#undef ATROUS_G6
#undef ATROUS_G5
#undef ATROUS_G4
#undef ATROUS_G3
#undef ATROUS_G2
#undef ATROUS_G1
#undef ATROUS_R1
#undef ATROUS_R2
#undef ATROUS_R4
#undef ATROUS_R8
#undef ATROUS_R16
#undef ATROUS_TYPED
#undef ATROUS_PRODUCT
// clang-format on

}  // namespace cuda

// Starts d += a b (d = a b unless `accumulate`) for a 64x16, b 16xN, both of type T (bf16 or f16), N a multiple of 8 up
// to 256. Value i of thread t of the warpgroup is of row 16 (t / 32) + t % 32 / 4 + 8 (i / 2 % 2) and column
// 8 (i / 4) + 2 (t % 4) + i % 2.
template <class T, int N, Major A, Major B>
__device__ __forceinline__ void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate = true) {
    static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
    static_assert(N % 8 == 0 && N >= 8 && N <= 256);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    cuda::wgmma<T, N, A, B>(d, a, b, accumulate);
#else
    __trap();
#endif
}

}  // namespace atrous::gpu
