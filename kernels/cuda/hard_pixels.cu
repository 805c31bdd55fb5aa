// Hard pixels. A thread a pixel computes its log odds as a key, blocks of 256 count those that count, and one block sums
// the counts; all pixels are sorted as one segment (segment_sort.h); then a thread a rank writes the label of the pixel
// that is there. 2 KiB of shared memory.
// A key is 0 of NaN and the smaller the larger the log odds, so that the hardest comes first and those that do not count,
// whose key has all bits, come behind log odds of -infinity. A value is the pixel.
#include "kernels/hard_pixels.h"

#include <cfloat>
#include <cmath>

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

// 0 and -0 are one.
__device__ __forceinline__ uint32_t key_of(float log_odds) {
    if (isnan(log_odds)) return 0;
    const uint32_t bits = log_odds == 0 ? 0 : __float_as_uint(log_odds), sign = 0x80000000u;
    return bits & sign ? bits : ~(bits | sign);
}

// hard_pixels.h says what comes of logits that are not finite.
template <class T>
__device__ __forceinline__ float log_odds_against(int channels, int id, const T* z) {
    const float own = device_float(z[channels == 1 ? 0 : id]);
    if (!isfinite(own)) return NAN;
    if (channels == 1) return id == 1 ? -own : own;
    float largest = -FLT_MAX, sum = 0;
    for (int c = 0; c < channels; ++c)
        if (c != id) largest = fmaxf(largest, device_float(z[c]) - own);
    for (int c = 0; c < channels; ++c)
        if (c != id) sum += __expf(device_float(z[c]) - own - largest);
    return largest + logf(sum);
}

template <class T>
__global__ void __launch_bounds__(block_threads) hard_pixels_odds(OddsArgs<T> a) {
    const int64_t pixel = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    const int id = pixel < a.pixels ? class_of(a.labels[pixel], a.channels, a.ignore_index) : -1;
    const int counted = __syncthreads_count(id >= 0);
    if (threadIdx.x == 0) a.counted[blockIdx.x] = counted;
    if (pixel >= a.pixels) return;
    a.keys[pixel] = id < 0 ? ~0u : key_of(log_odds_against(a.channels, id, a.logits + pixel * a.pitch));
    a.values[pixel] = uint32_t(pixel);
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
    const bool kept = id >= 0 && (rank < *a.least || a.keys[rank] < key_of(a.limit));
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
                    float(log_odds_limit(a.options))});
}

}  // namespace atrous::kernels::cuda
