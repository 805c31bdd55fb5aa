// Dropout. Grid: one dimension over tiles of about 512 vectors (gpu/pixels.h, Tiles); a block owns a tile, a thread
// draws one block of random words for every four elements of its vectors (a block for one element where vectors do not
// fit). No shared memory.
#include "kernels/dropout.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/random.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

constexpr int unroll = 2;

template <class T>
struct DropoutKernelArgs {
    const T* x;
    T* y;
    int64_t x_pitch, y_pitch, channels;  // channels: elements from pixel to pixel of the dense tensor
    uint64_t key;
    int64_t step;
    const int64_t* device_step;
    uint64_t threshold;
    float scale;
    bool accumulate;
    Tiles tiles;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) dropout_kernel(DropoutKernelArgs<T> a) {
    struct Loaded {
        Vec<T, W> x, y;
    };
    constexpr int words = W < 4 ? 1 : 4;  // used of a block
    const uint64_t step = uint64_t(a.step + (a.device_step ? *a.device_step : 0));
    for_each_group<unroll>(
        a.tiles,
        [&](int64_t pixel, int group) {
            Loaded l;
            l.x = load_vector<W>(a.x + pixel * a.x_pitch + group * W);
            if (a.accumulate) l.y = load_vector<W>(a.y + pixel * a.y_pitch + group * W);
            return l;
        },
        [&](int64_t pixel, int group, const Loaded& l) {
            const uint64_t first = uint64_t(pixel * a.channels + group * W);
            Floats<W> y;
#pragma unroll
            for (int i = 0; i < W; i += words) {
                const RandomWords random = random_words((first + i) / 4, step, a.key);
#pragma unroll
                for (int j = 0; j < words; ++j) {
                    const uint32_t word = words == 4 ? random.v[j] : random.v[first % 4];
                    y.v[i + j] = word >= a.threshold ? device_float(l.x.v[i + j]) * a.scale : 0.0f;
                    if (a.accumulate) y.v[i + j] += device_float(l.y.v[i + j]);
                }
            }
            store_floats(a.y + pixel * a.y_pitch + group * W, y);
        });
}

}  // namespace

// ---- launcher ----

void dropout(Queue& q, const DropoutArgs& a) {
    const View &x = a.x, &y = a.y.view;
    check(a);
    if (x.count() == 0) return;
    dispatch_gpu("dropout", x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Pointwise walk({&x, &y}, vector_width<T>, unroll);
        with_width<vector_width<T>>(walk.width > 1, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("dropout", W);
            launch(dropout_kernel<T, W>, walk.tiles.grid(), dim3(walk.tiles.threads), 0, q.stream(),
                   DropoutKernelArgs<T>{x.as<T>(), y.as<T>(), walk.pitch(x), walk.pitch(y), walk.flat ? W : x.c, a.key,
                                        a.step, a.device_step, dropout_threshold(a.p), float(dropout_scale(a.p)),
                                        a.y.accumulate, walk.tiles});
        });
    });
}

}  // namespace atrous::kernels::cuda
