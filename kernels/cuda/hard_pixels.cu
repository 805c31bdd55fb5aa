// Hard pixels. A thread a pixel computes its odds as a key, blocks of 256 count those that count, and one block sums
// the counts; all pixels are sorted as one segment (segment_sort.h); then a thread a rank writes the label of the pixel
// that is there. 2 KiB of shared memory.
// A key is the complement of the odds' bits and 1, so that the hardest comes first and those that do not count, whose key
// has all bits, come behind odds of 0. A value is the pixel.
#include "kernels/hard_pixels.h"

#include "base/dispatch.h"
#include "kernels/cuda/segment_sort.h"
#include "kernels/cuda/softmax.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

template <class T>
struct OddsArgs {
    const T* logits;
    const uint8_t* labels;
    uint32_t *keys, *values;
    int* counted;  // [blocks]
    int64_t pitch, pixels;
    int channels, ignore_index;
};

template <class T>
__global__ void __launch_bounds__(block_threads) hard_pixels_odds(OddsArgs<T> a) {
    const int64_t pixel = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    const int id = pixel < a.pixels ? class_of(a.labels[pixel], a.channels, a.ignore_index) : -1;
    const int counted = __syncthreads_count(id >= 0);
    if (threadIdx.x == 0) a.counted[blockIdx.x] = counted;
    if (pixel >= a.pixels) return;
    uint32_t key = ~0u;
    if (id >= 0) {
        const T* const z = a.logits + pixel * a.pitch;
        float odds = 0;
        if (a.channels == 1) {
            odds = __expf(id == 1 ? -device_float(z[0]) : device_float(z[0]));
        } else {
            const float own = device_float(z[id]);
            for (int c = 0; c < a.channels; ++c)
                if (c != id) odds += __expf(device_float(z[c]) - own);
        }
        key = ~((__float_as_uint(odds) & 0x7fffffffu) + 1);
    }
    a.keys[pixel] = key, a.values[pixel] = uint32_t(pixel);
}

struct LeastArgs {
    const int* counted;
    int64_t blocks;
    double keep;
    int64_t* least;  // [1]: how many are kept at least
};

__global__ void __launch_bounds__(block_threads) hard_pixels_least(LeastArgs a) {
    __shared__ double shared[block_threads];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.blocks; i += block_threads) sum += a.counted[i];
    sum = block_sum<block_threads>(shared, sum);
    if (threadIdx.x == 0) *a.least = int64_t(ceil(a.keep * sum));
}

struct MarkArgs {
    const uint32_t *keys, *values;  // sorted
    const uint8_t* labels;
    const int64_t* least;
    uint8_t* mined;
    int64_t pixels;
    int channels, ignore_index;
    float limit;
};

__global__ void __launch_bounds__(block_threads) hard_pixels_mark(MarkArgs a) {
    const int64_t rank = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    if (rank >= a.pixels) return;
    const uint32_t pixel = a.values[rank];
    const int id = class_of(a.labels[pixel], a.channels, a.ignore_index);
    const float odds = __uint_as_float(~a.keys[rank] - 1);
    const bool kept = id >= 0 && (rank < *a.least || !(odds <= a.limit));
    a.mined[pixel] = uint8_t(kept ? id : easy_label);
}

}  // namespace

void hard_pixels(Queue& q, const HardPixelsArgs& a) {
    check(a);
    ran("hard_pixels/radix");
    const View& z = a.logits;
    const int64_t pixels = z.pixels(), blocks = ceil_div(pixels, block_threads);
    const Segments s{q.scratch<uint32_t>(size_t(pixels)), q.scratch<uint32_t>(size_t(pixels)), 1, pixels};
    int* const counted = q.scratch<int>(size_t(blocks));
    auto* const least = q.scratch<int64_t>(1);
    dispatch_gpu("hard_pixels", z.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(hard_pixels_odds<T>, dim3(unsigned(blocks)), dim3(block_threads), 0, q.stream(),
               OddsArgs<T>{z.as<T>(), a.labels, s.keys, s.values, counted, z.pitch, pixels, int(z.c),
                           a.options.ignore_index});
    });
    launch(hard_pixels_least, dim3(1), dim3(block_threads), 0, q.stream(),
           LeastArgs{counted, blocks, a.options.keep, least});
    sort_segments(q, s);
    launch(hard_pixels_mark, dim3(unsigned(blocks)), dim3(block_threads), 0, q.stream(),
           MarkArgs{s.keys, s.values, a.labels, least, a.mined, pixels, int(z.c), a.options.ignore_index,
                    float(odds_limit(a.options))});
}

}  // namespace atrous::kernels::cuda
