// Augmented images, in four launches: sums set to 0; bytes and labels, a thread a pixel and a block 256 pixels of one
// image, whose warps add what a colour's mean is of by integer atomics; a table of levels an image, a thread a byte; and
// the bytes through their tables. No shared memory.
#include "kernels/augment.h"

#include "base/dispatch.h"
#include "kernels/augmented_pixel.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

using Sum = unsigned long long;

// ---- kernels ----

struct SumsArgs {
    Sum* sums;
    int images;
};

__global__ void __launch_bounds__(block_threads) begin_sums(SumsArgs a) {
    const int n = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (n < a.images) a.sums[n] = 0;
}

struct ResampleArgs {
    const uint8_t *sources, *source_labels;
    const AugmentedSample* samples;
    const int32_t* filters;
    uint8_t *bytes, *labels;
    Sum* sums;
    int pixels, channels, ignored;  // pixels: of an image
    Divider by_width;
};

__device__ __forceinline__ unsigned resample_pixel(const ResampleArgs& a, int n, int pixel) {
    const AugmentedSample& s = a.samples[n];
    const int y = a.by_width.divide(pixel), x = pixel - y * int(a.by_width.divisor);
    const Origin origin = origin_of(s, y, x);
    const int64_t at = int64_t(n) * a.pixels + pixel;
    uint8_t* const bytes = a.bytes + at * a.channels;
    unsigned sum = 0;
    if (origin.area == Area::image) {
        const ResizedImage image{s, a.sources + s.image, a.filters, a.channels};
        const Reading reading = reading_of(s, origin.at);
        a.labels[at] = ResizedLabels{s, a.source_labels + s.labels, a.filters}.at(reading.label);
#pragma unroll 1
        for (int c = 0; c < a.channels; ++c) {
            const uint8_t v = read(image, reading, c);
            bytes[c] = v;
            if (c < colours_of(a.channels)) sum += v;
        }
    } else {
        a.labels[at] = uint8_t(a.ignored);
        for (int c = 0; c < a.channels; ++c) {
            bytes[c] = s.fill[c];
            if (c < colours_of(a.channels) && origin.area == Area::padding) sum += s.fill[c];
        }
    }
    return sum;
}

__global__ void __launch_bounds__(block_threads, 2) resample(ResampleArgs a) {
    const int n = int(blockIdx.y), pixel = int(blockIdx.x * blockDim.x + threadIdx.x);
    unsigned sum = pixel < a.pixels ? resample_pixel(a, n, pixel) : 0;
    if (!a.samples[n].coloured) return;
#pragma unroll
    for (int offset = warpSize / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0u, sum, offset);
    if (threadIdx.x % warpSize == 0) atomicAdd(a.sums + n, Sum(sum));
}

struct LevelsArgs {
    const AugmentedSample* samples;
    const Sum* sums;
    const float* levels;
    float* tables;  // [N][C][256]
    int channels, kinds;
};

__global__ void __launch_bounds__(block_threads) levels_of_images(LevelsArgs a) {
    const int n = int(blockIdx.x), v = int(threadIdx.x), colours = colours_of(a.channels);
    const AugmentedSample& s = a.samples[n];
    const int changed = s.coloured ? changed_byte(s, int64_t(a.sums[n]), colours, v) : v;
    for (int c = 0; c < a.channels; ++c)
        a.tables[(int64_t(n) * a.channels + c) * byte_levels + v] =
            a.levels[c % a.kinds * byte_levels + (c < colours ? changed : v)];
}

template <class T>
struct NormalizeArgs {
    const AugmentedSample* samples;
    const uint8_t* bytes;
    const float *levels, *tables;
    T* y;
    int pixels, channels, kinds;
    Divider by_width;
};

template <class T>
__global__ void __launch_bounds__(block_threads) normalize_augmented(NormalizeArgs<T> a) {
    const int n = int(blockIdx.y), pixel = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (pixel >= a.pixels) return;
    const AugmentedSample& s = a.samples[n];
    const int y = a.by_width.divide(pixel), x = pixel - y * int(a.by_width.divisor);
    const bool within = y < s.crop_h && x < s.crop_w;
    const float* const table = a.tables + int64_t(n) * a.channels * byte_levels;
    const int64_t at = (int64_t(n) * a.pixels + pixel) * a.channels;
    for (int c = 0; c < a.channels; ++c) {
        const int v = a.bytes[at + c];
        a.y[at + c] = device_round<T>(within ? table[c * byte_levels + v] : a.levels[c % a.kinds * byte_levels + v]);
    }
}

}  // namespace

// ---- launcher ----

void augment(Queue& q, const AugmentArgs& a) {
    check(a);
    if (a.y.count() == 0) return;
    const int images = int(a.y.n), pixels = int(a.y.h * a.y.w), channels = int(a.y.c), kinds = int(a.kinds);
    const dim3 block(block_threads), over_pixels(unsigned(ceil_div(pixels, block_threads)), unsigned(images));
    auto* const bytes = q.scratch<uint8_t>(size_t(a.y.count()));
    auto* const sums = q.scratch<Sum>(size_t(images));
    auto* const tables = q.scratch<float>(size_t(images) * size_t(channels) * byte_levels);
    ran("augment/pixels");
    launch(begin_sums, dim3(unsigned(ceil_div(images, block_threads))), block, 0, q.stream(), SumsArgs{sums, images});
    launch(resample, over_pixels, block, 0, q.stream(),
           ResampleArgs{a.sources, a.source_labels, a.samples, a.filters, bytes, a.labels, sums, pixels, channels,
                        a.ignored, Divider(a.y.w)});
    launch(levels_of_images, dim3(unsigned(images)), block, 0, q.stream(),
           LevelsArgs{a.samples, sums, a.levels, tables, channels, kinds});
    dispatch_gpu("augment", a.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(
            normalize_augmented<T>, over_pixels, block, 0, q.stream(),
            NormalizeArgs<T>{a.samples, bytes, a.levels, tables, a.y.as<T>(), pixels, channels, kinds, Divider(a.y.w)});
    });
}

}  // namespace atrous::kernels::cuda
