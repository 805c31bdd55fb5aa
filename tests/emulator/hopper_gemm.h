// A product of matrices as Hopper kernels compute it: 64x64 tiles, a warpgroup that loads and one that multiplies.
// It says only what every platform has, so that nvcc compiles it too (tests/gpu/hopper_gemm.cu).
#pragma once

#include <platform/barriers.h>
#include <platform/tma.h>
#include <platform/wgmma.h>

#include "kernels/gpu/device.h"

namespace atrous::gpu::test {

constexpr int tile = 64, stages = 2, gemm_threads = 256;

// What is planted; none: the kernel is right.
enum class Slip {
    none,
    no_init_fence,        // fence_mbarrier_init is missing
    no_init_barrier,      // nothing tells the others that mbarriers are initialized
    no_wait_for_tile,     // a tile is read before its phase has completed
    wrong_parity,         // the wait is for the phase before
    no_wait_for_stage,    // a tile is loaded over one that is being read
    early_release,        // a stage is given back before the products are done
    few_bytes,            // the mbarrier expects less than is copied
    many_bytes,           // or more
    misaligned_tile,      // 512 bytes off
    misaligned_map,       // 16 bytes off
    no_wgmma_fence,       //
    early_accumulators,   // they are read before the wait
    no_wgmma_wait,        // nobody waits at all
    different_products,   // by the threads of a warpgroup
    no_proxy_fence,       // before the store
    no_store_wait,        // the kernel ends
    overwritten_store,    // shared memory is written again before the wait
    unequal_named_count,  // threads that a named barrier expects
};

struct GemmArgs {
    TensorMap a, b, c;  // a: boxes of 64 x 64 of A [m][k] or [k][m]; b of B [n][k] or [k][n]; c of C [m][n], float
    int steps;          // of 64 values of k
    Slip slip;
};

struct GemmShared {
    unsigned char a[stages][tile * 128], b[stages][tile * 128];
    float c[tile][tile];
    MBarrier full[stages], empty[stages];
    unsigned char spare[1024];
};

template <Major major>
__device__ __forceinline__ void load_tile(const TensorMap& map, int mn, int k, void* to, MBarrier* full) {
    const int at[2] = {major == Major::k ? k : mn, major == Major::k ? mn : k};
    tma_load(map, at, to, full);
}

template <Major A, Major B>
__device__ __forceinline__ void load_tiles(const GemmArgs& p, GemmShared& s, Slip slip) {
    const int shift = slip == Slip::misaligned_tile ? 512 : 0;
    const TensorMap& a = slip == Slip::misaligned_map ? *reinterpret_cast<const TensorMap*>(p.a.opaque + 16) : p.a;
    unsigned bytes = 2 * tile * 128;
    if (slip == Slip::few_bytes) bytes /= 2;
    if (slip == Slip::many_bytes) bytes += 64;
    for (int step = 0; step < p.steps; ++step) {
        const int i = step % stages;
        if (step >= stages && slip != Slip::no_wait_for_stage)
            mbarrier_wait(&s.empty[i], unsigned(step / stages - 1) & 1);
        mbarrier_arrive_expect_tx(&s.full[i], bytes);
        load_tile<A>(a, int(blockIdx.x) * tile, step * 64, s.a[i] + shift, &s.full[i]);
        load_tile<B>(p.b, int(blockIdx.y) * tile, step * 64, s.b[i], &s.full[i]);
    }
}

template <class T, Major A, Major B>
__device__ __forceinline__ void multiply_tiles(int steps, GemmShared& s, float (&d)[tile / 2], Slip slip) {
    constexpr uint64_t a_step = A == Major::k ? 32 >> 4 : 2048 >> 4, b_step = B == Major::k ? 32 >> 4 : 2048 >> 4;
    for (int step = 0; step < steps; ++step) {
        const int i = step % stages;
        const unsigned parity = unsigned(step / stages) & 1;
        if (slip != Slip::no_wait_for_tile) mbarrier_wait(&s.full[i], slip == Slip::wrong_parity ? !parity : parity);
        if (slip != Slip::no_wgmma_fence) wgmma_fence();
        const uint64_t a = wgmma_operand<A>(s.a[i]), b = wgmma_operand<B>(s.b[i]);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            const bool other = slip == Slip::different_products && threadIdx.x == 77;
            wgmma_m64k16<T, tile, A, B>(d, a + k * a_step, b + (other ? 3 - k : k) * b_step, step > 0 || k > 0);
        }
        wgmma_commit();
        if (slip == Slip::early_release) mbarrier_arrive(&s.empty[i]);
        const bool last = step + 1 == steps;
        const bool skips = slip == Slip::no_wgmma_wait || slip == Slip::early_accumulators;
        if (!last || !skips) wgmma_wait<0>();
        if (slip != Slip::early_release) mbarrier_arrive(&s.empty[i]);
    }
}

__device__ __forceinline__ void store_tile(const GemmArgs& p, GemmShared& s, const float (&d)[tile / 2], Slip slip) {
    const int t = int(threadIdx.x), row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
#pragma unroll
    for (int i = 0; i < tile / 2; ++i) s.c[row + i / 2 % 2 * 8][column + i / 4 * 8 + i % 2] = d[i];
    if (slip == Slip::early_accumulators) wgmma_wait<0>();
    if (slip != Slip::no_proxy_fence) fence_proxy_async();
    named_barrier_sync(1, slip == Slip::unequal_named_count && t >= 96 ? 96 : 128);
    if (t != 0) return;
    const int at[2] = {int(blockIdx.y) * tile, int(blockIdx.x) * tile};
    tma_store(p.c, at, s.c);
    tma_store_commit();
    if (slip == Slip::overwritten_store) s.c[0][0] = -1;
    if (slip != Slip::no_store_wait) tma_store_wait_read<0>();
}

// Planted: the slip is that of the arguments.
template <class T, Major A, Major B, bool Planted>
__global__ void __launch_bounds__(gemm_threads, 1) hopper_gemm(const __grid_constant__ GemmArgs p) {
    const Slip slip = Planted ? p.slip : Slip::none;
    GemmShared& s = *dynamic_shared<GemmShared>();
    if (threadIdx.x == 128) {
        for (int i = 0; i < stages; ++i) {
            mbarrier_init(&s.full[i], 1);
            mbarrier_init(&s.empty[i], 128);
        }
        if (slip != Slip::no_init_fence) fence_mbarrier_init();
    }
    if (slip != Slip::no_init_barrier) __syncthreads();
    if (threadIdx.x >= 128) {
        set_max_registers_down<40>();
        if (threadIdx.x == 128) load_tiles<A, B>(p, s, slip);
        return;
    }
    set_max_registers_up<232>();
    float d[tile / 2] = {};
    multiply_tiles<T, A, B>(p.steps, s, d, slip);
    store_tile(p, s, d, slip);
}

}  // namespace atrous::gpu::test
