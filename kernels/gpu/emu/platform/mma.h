// Warp-level matrix operations, emulated. All 32 lanes take part; sums are float, in the order of k.
#pragma once

#include <platform/language.h>

#include <cstdint>

namespace atrous::gpu {

// Four 8x8 matrices of 16-bit elements. Lane i names row i % 8 of matrix i / 8; register m then holds elements
// (lane / 4, 2 (lane % 4) + {0, 1}) of matrix m, or of its transpose.
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, emu::Where where = emu::Where::current()) {
    emu::ldmatrix_x4(r, row, false, where);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, emu::Where where = emu::Where::current()) {
    emu::ldmatrix_x4(r, row, true, where);
}

// d += a b, with a 16x16 row-major, b 16x8 column-major, both of type T (bf16 or f16), d 16x8 float; fragments as in
// the PTX ISA.
template <class T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                  emu::Where where = emu::Where::current()) {
    static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
    const uint32_t b[2] = {b0, b1};
    emu::mma_m16n8k16(std::is_same_v<T, bf16> ? emu::MmaType::bf16 : emu::MmaType::f16, d, a, b, where);
}

// The nearest value of TF32, a float of 10 bits of mantissa; ties away from zero. What the product below needs.
inline uint32_t round_tf32(uint32_t x) { return emu::round_tf32(x); }

// d += a b, with a 16x8 row-major, b 8x8 column-major, both TF32, d 16x8 float; fragments as in the PTX ISA.
inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                             emu::Where where = emu::Where::current()) {
    const uint32_t b[2] = {b0, b1};
    emu::mma_m16n8k8_tf32(d, a, b, where);
}

}  // namespace atrous::gpu
