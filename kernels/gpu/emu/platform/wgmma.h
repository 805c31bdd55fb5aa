// wgmma, emulated: products of a warpgroup, four warps from a multiple of four on, with operands in shared memory. All
// 128 threads call every function here together. A product is computed at the wait, in float, in the order of k, and the
// accumulators hold NaNs until then.
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
uint64_t wgmma_operand(const void* tile, unsigned stride_bytes = 0, emu::Where where = emu::Where::current()) {
    return emu::wgmma_operand(tile, major == Major::mn, stride_bytes, where);
}

// Orders what this thread did to its accumulators before later products. It stands before the first product and
// wherever registers were touched since the last one.
inline void wgmma_fence() { emu::wgmma_fence(); }

// Closes a group of products.
inline void wgmma_commit() { emu::wgmma_commit(); }

// Waits until all but the latest `Pending` groups are done. Until then accumulators must not be touched.
template <int Pending>
void wgmma_wait(emu::Where where = emu::Where::current()) {
    emu::wgmma_wait(Pending, where);
}

// Waits until all groups are done, whose accumulators `d` were: no use of them is moved in front of the wait.
template <int Count>
void wgmma_finish(float (&)[Count], emu::Where where = emu::Where::current()) {
    emu::wgmma_wait(0, where);
}

// Gives registers of this warpgroup back, or takes some: how many each thread has afterwards.
template <int Count>
void set_max_registers_down(emu::Where where = emu::Where::current()) {
    static_assert(Count >= 24 && Count <= 256 && Count % 8 == 0);
    emu::set_max_registers(Count, where);
}
template <int Count>
void set_max_registers_up(emu::Where where = emu::Where::current()) {
    static_assert(Count >= 24 && Count <= 256 && Count % 8 == 0);
    emu::set_max_registers(Count, where);
}

// Starts d += a b (d = a b unless `accumulate`) for a 64x16, b 16xN, both of type T (bf16 or f16), N a multiple of 8 up
// to 256. Value i of thread t of the warpgroup is of row 16 (t / 32) + t % 32 / 4 + 8 (i / 2 % 2) and column
// 8 (i / 4) + 2 (t % 4) + i % 2.
template <class T, int N, Major A, Major B>
void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate = true,
                  emu::Where where = emu::Where::current()) {
    static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
    static_assert(N % 8 == 0 && N >= 8 && N <= 256);
    const auto type = std::is_same_v<T, bf16> ? emu::MmaType::bf16 : emu::MmaType::f16;
    emu::wgmma({d, a, b, N, type, A == Major::mn, B == Major::mn, accumulate}, where);
}

}  // namespace atrous::gpu
