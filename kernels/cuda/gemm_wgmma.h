// The arithmetic that Hopper's products share (sm_90a): bf16 or f16 tiles in shared memory, copied by TMA through a ring of
// stages, multiplied by wgmma into float accumulators.
//
// A block is two warpgroups, the consumers, and one warp more. A thread of that is the producer: it waits until a stage is
// empty, says how many bytes are to come and has the copy unit fetch them; nothing passes through its registers. The
// consumers multiply: each its 64 rows by all columns of the tile, one group of products behind the other, and gives a
// stage back when the products that read it are done. Two mbarriers a stage carry the news: `full` counts bytes, `empty`
// one arrival of each of the eight consuming warps. With a producer of one warp there are registers enough for all (224 a
// thread, or 112 with two blocks on a multiprocessor), so that none have to change hands (setmaxnreg).
//
// Pixels are fetched as boxes, {64 channels, w, h, images} of the tensor. The copy unit adds the box's place to each
// address and gives zeros outside of the tensor, so a tap of a convolution is the same box, moved by the tap's offset:
// there are no tables of rows, the zeros are the padding, and a pitch is a stride. Sides of boxes are powers of two whose
// product is the tile's rows (or depth). The launcher takes those that leave the fewest steps, counting that a tap whose
// whole box is padding is neither fetched nor multiplied; many images in a box make it small in the plane, so that at
// large dilations few dead pixels are multiplied.
#pragma once

#include <platform/barriers.h>
#include <platform/tma.h>
#include <platform/wgmma.h>

#include "kernels/gpu/device.h"

namespace atrous::kernels::cuda {

constexpr int wgmma_consumers = 256;  // threads
constexpr int wgmma_slab = 64 * 128;  // bytes of 64 rows of 128 bytes: what one box of 64 such rows fills

// M rows by N columns of results, 64 values of depth a step.
template <class T, int M, int N>
struct WgmmaTile {
    using Element = T;
    static constexpr int m = M, n = N, k = 64;
    static constexpr int threads = wgmma_consumers + 32;
    static constexpr int blocks = n == 256 ? 1 : 2;  // on a multiprocessor, by registers and shared memory
    static constexpr int stages = n == 128 && m == 128 ? 3 : 4;
    static constexpr int left_bytes = m * 128, stage_bytes = (m + n) * 128;
};

// The ring and what tells of it, in dynamic shared memory.
template <class Tile>
struct WgmmaRing {
    unsigned char stage[Tile::stages][Tile::stage_bytes];
    gpu::MBarrier full[Tile::stages], empty[Tile::stages];

    __device__ __forceinline__ unsigned char* left(int step) { return stage[step % Tile::stages]; }
    __device__ __forceinline__ unsigned char* right(int step) { return left(step) + Tile::left_bytes; }
    __device__ __forceinline__ gpu::MBarrier* full_of(int step) { return &full[step % Tile::stages]; }

    // All threads of the block, first of all.
    __device__ __forceinline__ void start() {
        if (threadIdx.x == 0) {
            for (int i = 0; i < Tile::stages; ++i) {
                gpu::mbarrier_init(&full[i], 1);
                gpu::mbarrier_init(&empty[i], wgmma_consumers / 32);
            }
            gpu::fence_mbarrier_init();
        }
        __syncthreads();
    }
    // The producer: waits for the stage of this step, which `bytes` will fill.
    __device__ __forceinline__ void open(int step, unsigned bytes) {
        if (step >= Tile::stages)
            gpu::mbarrier_wait(&empty[step % Tile::stages], unsigned(step / Tile::stages - 1) & 1);
        gpu::mbarrier_arrive_expect_tx(full_of(step), bytes);
    }
    // Consumers.
    __device__ __forceinline__ void wait(int step) {
        gpu::mbarrier_wait(full_of(step), unsigned(step / Tile::stages) & 1);
    }
    __device__ __forceinline__ void give_back(int step) {
        if (threadIdx.x % 32 == 0) gpu::mbarrier_arrive(&empty[step % Tile::stages]);
    }
};

// Whether a multiprocessor of a Hopper GPU has shared memory for Tile::blocks of them: 228 KB, of which a block costs one
// more; a block has 227 at most.
template <class Tile>
constexpr bool rings_fit = (sizeof(WgmmaRing<Tile>) + 1024) * Tile::blocks <= 228 * 1024;

// The consumers' loop: sum += left right over `steps` steps. `left` and `right` are where in a stage this warpgroup's 64
// rows and its columns begin, in bytes. The other warpgroup may be some steps behind. The last step is not given back: with
// more code behind the wait ptxas 13.0 serializes all products (scripts/check_nvcc.sh sees that).
template <class Tile, gpu::Major Left, gpu::Major Right, int Columns>
__device__ __forceinline__ void multiply(float (&sum)[Columns / 2], WgmmaRing<Tile>& ring, int left, int right,
                                         int steps) {
    using T = typename Tile::Element;
    constexpr uint64_t by_left = (Left == gpu::Major::k ? 32 : 2048) >> 4;
    constexpr uint64_t by_right = (Right == gpu::Major::k ? 32 : 2048) >> 4;
    for (int step = 0; step < steps; ++step) {
        ring.wait(step);
        gpu::wgmma_fence();
        const uint64_t u = gpu::wgmma_operand<Left>(ring.left(step) + left, wgmma_slab);
        const uint64_t v = gpu::wgmma_operand<Right>(ring.right(step) + right, wgmma_slab);
#pragma unroll
        for (int k = 0; k < Tile::k / 16; ++k)
            gpu::wgmma_m64k16<T, Columns, Left, Right>(sum, u + k * by_left, v + k * by_right);
        gpu::wgmma_commit();
        gpu::wgmma_wait<1>();
        if (step > 0) ring.give_back(step - 1);
    }
    gpu::wgmma_finish(sum);
}

}  // namespace atrous::kernels::cuda
