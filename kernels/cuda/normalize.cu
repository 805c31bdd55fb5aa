// Normalization of bytes. Grid: one dimension over tiles of about 1024 vectors of 16 bytes of results (gpu/pixels.h,
// Tiles, of the tensor as one long row); a block owns a tile, a thread a vector at a time. Dynamic shared memory: the
// levels, 1 KiB a kind.
#include "kernels/normalize.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernel ----

constexpr int unroll = 4;

template <class T>
struct NormalizeKernelArgs {
    const uint8_t* x;
    const float* levels;
    T* y;
    int channels, kinds;
    Divider by_channels, by_kinds;
    Tiles tiles;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) normalize_kernel(NormalizeKernelArgs<T> a) {
    float* const levels = dynamic_shared<float>();
    for (int i = int(threadIdx.x); i < a.kinds * int(byte_levels); i += int(blockDim.x)) levels[i] = a.levels[i];
    __syncthreads();
    const int64_t first = int64_t(blockIdx.x) * a.tiles.pixels_per_block;
    const int start = int(first * W % a.channels);  // the channel of the block's first element
    for_each_group<unroll>(
        a.tiles, [&](int64_t vector, int) { return load_vector<W>(a.x + vector * W); },
        [&](int64_t vector, int, const Vec<uint8_t, W>& x) {
            const int element = start + int(vector - first) * W;
            int c = element - a.by_channels.divide(element) * a.channels;
            Floats<W> y;
#pragma unroll
            for (int i = 0; i < W; ++i) {
                const int kind = c - a.by_kinds.divide(c) * a.kinds;
                y.v[i] = levels[kind * int(byte_levels) + x.v[i]];
                c = c + 1 == a.channels ? 0 : c + 1;
            }
            store_floats(a.y + vector * W, y);
        });
}

}  // namespace

// ---- launcher ----

void normalize_bytes(Queue& q, const NormalizeBytesArgs& a) {
    check(a);
    if (a.x.count() == 0) return;
    dispatch_gpu("normalize_bytes", a.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        const bool vectors = a.x.count() % wide == 0 && aligned(a.x.data, wide) && aligned(a.y.data, 16);
        with_width<wide>(vectors, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("normalize_bytes", W);
            const Tiles tiles(a.x.count() / W, 1, unroll);
            launch(normalize_kernel<T, W>, tiles.grid(), dim3(tiles.threads),
                   size_t(a.kinds * byte_levels) * sizeof(float), q.stream(),
                   NormalizeKernelArgs<T>{a.x.as<const uint8_t>(), a.levels, a.y.as<T>(), int(a.x.c), int(a.kinds),
                                          Divider(a.x.c), Divider(a.kinds), tiles});
        });
    });
}

}  // namespace atrous::kernels::cuda
