// The arithmetic that the plain products share: a block's tile in shared memory, a thread's tile in registers.
#pragma once

#include "kernels/cuda/implicit_gemm.h"

namespace atrous::kernels::cuda {

// An m by n tile of results, k deep at a time; a thread owns tm by tn. A step's factors lie depth-major: a[k][m],
// b[k][n].
template <int M, int N, int K, int TM, int TN>
struct SimtTile {
    static constexpr int m = M, n = N, k = K, tm = TM, tn = TN;
    static constexpr int threads = (M / TM) * (N / TN);
    static constexpr int a_pitch = M + 4, b_pitch = N + 4;  // 4 more: transposing stores spread over the banks
    static constexpr int buffer = k * (a_pitch + b_pitch);  // floats of one step

    static __device__ __forceinline__ int row() { return threadIdx.x / (N / TN) * TM; }
    static __device__ __forceinline__ int column() { return threadIdx.x % (N / TN) * TN; }

    static __device__ __forceinline__ void multiply(float (&sum)[TM][TN], const float* step) {
        const float* const a = step + row();
        const float* const b = step + K * a_pitch + column();
#pragma unroll
        for (int k = 0; k < K; ++k) {
            float u[TM], v[TN];
#pragma unroll
            for (int i = 0; i < TM; ++i) u[i] = a[k * a_pitch + i];
#pragma unroll
            for (int j = 0; j < TN; ++j) v[j] = b[k * b_pitch + j];
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j) sum[i][j] += u[i] * v[j];
        }
    }
};

}  // namespace atrous::kernels::cuda
