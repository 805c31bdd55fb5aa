// Matrices, their tensor maps and the launch of the product in hopper_gemm.h.
#pragma once

#include <type_traits>

#include "tests/emulator/hopper_gemm.h"
#include "tests/emulator/support.h"

namespace atrous::gpu::test {

template <class T>
std::vector<T> rounded(const std::vector<float>& values) {
    std::vector<T> v(values.size());
    for (size_t i = 0; i < v.size(); ++i) v[i] = device_round<T>(values[i]);
    return v;
}

// A row-major array of two dimensions in boxes of `box_rows` x `box_columns`.
template <class T>
TensorMap matrix_map(const T* base, int rows, int columns, int box_rows, int box_columns) {
    constexpr bool is_float = std::is_same_v<T, float>;
    TensorMapDescription d;
    d.base = const_cast<T*>(base);
    d.element = is_float ? TensorElement::f32 : std::is_same_v<T, bf16> ? TensorElement::bf16 : TensorElement::f16;
    d.size = {uint64_t(columns), uint64_t(rows)};
    d.stride_bytes = {0, columns * sizeof(T)};
    d.box = {uint32_t(box_columns), uint32_t(box_rows)};
    d.swizzle = is_float ? TensorSwizzle::none : TensorSwizzle::bytes128;
    return encode_tensor_map(d);
}

struct GemmSize {
    int m, n, k;
};

// C = A B of small integers, and whether every element is exact; what the emulator reports is thrown.
template <class T, Major A, Major B>
bool gemm_is_exact(GemmSize z, Slip slip = Slip::none) {
    const auto a = small_integers(size_t(z.m) * z.k, 1), b = small_integers(size_t(z.n) * z.k, 77);
    constexpr bool ak = A == Major::k, bk = B == Major::k;
    Buffer<T> da(rounded<T>(a)), db(rounded<T>(b));
    Buffer<float> c(size_t(z.m) * z.n);
    const GemmArgs args{matrix_map(da.data(), ak ? z.m : z.k, ak ? z.k : z.m, tile, tile),
                        matrix_map(db.data(), bk ? z.n : z.k, bk ? z.k : z.n, tile, tile),
                        matrix_map(c.data(), z.m, z.n, tile, tile), (z.k + 63) / 64, slip};
    const dim3 grid(unsigned(z.m + tile - 1) / tile, unsigned(z.n + tile - 1) / tile);
    launch(hopper_gemm<T, A, B, true>, grid, gemm_threads, sizeof(GemmShared), stream().view(), args);
    const auto got = c.get();
    bool exact = true;
    for (int m = 0; m < z.m; ++m)
        for (int n = 0; n < z.n; ++n) {
            float sum = 0;
            for (int k = 0; k < z.k; ++k) sum += a[ak ? m * z.k + k : k * z.m + m] * b[bk ? n * z.k + k : k * z.n + n];
            exact = exact && got[size_t(m) * z.n + n] == sum;
        }
    return exact;
}

}  // namespace atrous::gpu::test
