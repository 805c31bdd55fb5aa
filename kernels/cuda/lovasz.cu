// Lovász losses. A thread a pixel computes its errors as keys; the segments are sorted (segment_sort.h); the pixels of
// the class in each sorted tile are counted and summed over the tiles in front; then a block a tile, a thread eight
// neighbouring ranks, computes slopes and their share of the loss, which one block adds up.
// A key is the complement of the error's bits, so that the largest comes first. A value is twice the place in the
// segment, plus 1 where the pixel is of the class.
#include "kernels/lovasz.h"

#include <string>

#include "base/dispatch.h"
#include "kernels/cuda/block_prefix.h"
#include "kernels/cuda/segment_sort.h"
#include "kernels/cuda/softmax.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

template <class T>
struct ErrorArgs {
    const T* logits;
    const uint8_t* labels;
    uint32_t *keys, *values;  // [segments][length]
    int* pixels;              // [C + 1][images][blocks]: of each class, and that count, of a block's pixels
    int64_t pitch, length;    // of a segment
    int channels, ignore_index, images;
};

// Block (x, y): pixels of image y.
template <class T>
__global__ void __launch_bounds__(block_threads) lovasz_errors(ErrorArgs<T> a) {
    const int64_t place = int64_t(blockIdx.x) * block_threads + threadIdx.x, image = blockIdx.y;
    const bool exists = place < a.length;
    const int64_t pixel = image * a.length + (exists ? place : 0);
    const int id = exists ? class_of(a.labels[pixel], a.channels, a.ignore_index) : -1;
    const auto counts = [&](int c) -> int& {
        return a.pixels[(int64_t(c) * a.images + image) * gridDim.x + blockIdx.x];
    };
    for (int c = 0; c <= a.channels; ++c) {
        const bool mine = c == a.channels ? id >= 0 : a.channels == 1 ? id == 1 : id == c;
        const int sum = __syncthreads_count(mine);
        if (threadIdx.x == 0) counts(c) = sum;
    }
    if (!exists) return;
    const PixelSoftmax<T> softmax(a.logits + pixel * a.pitch, a.channels);
    for (int c = 0; c < a.channels; ++c) {
        float error = 0;
        if (id >= 0 && a.channels == 1)
            error = 1 - (id == 1 ? 1.0f : -1.0f) * device_float(softmax.z[0]);
        else if (id >= 0)
            error = id == c ? softmax.all_but(c) : softmax.p(c);
        if (error <= 0) error = 0;  // NaN stays
        const bool of_class = a.channels == 1 ? id == 1 : id == c;
        const int64_t to = (int64_t(c) * a.images + image) * a.length + place;
        a.keys[to] = ~(__float_as_uint(error) & 0x7fffffffu);
        a.values[to] = uint32_t(place) << 1 | uint32_t(of_class);
    }
}

struct ShareArgs {
    const int* pixels;        // as above
    int* pixels_of;           // [C + 1][images]
    float *shares, *counted;  // [segments]: 1 / (classes * images), 0 where the class does not count; [1]
    int64_t blocks;
    int channels, images;
    bool all;
};

// Block (x, y): of image x and class y, or those that count, the sum over its blocks.
__global__ void __launch_bounds__(block_threads) lovasz_pixels(ShareArgs a) {
    __shared__ double shared[block_threads];
    const int64_t row = int64_t(blockIdx.y) * a.images + blockIdx.x;
    double sum = 0;
    for (int64_t b = threadIdx.x; b < a.blocks; b += block_threads) sum += a.pixels[row * a.blocks + b];
    sum = block_sum<block_threads>(shared, sum);
    if (threadIdx.x == 0) a.pixels_of[row] = int(sum);
}

// A thread an image, one block.
__global__ void __launch_bounds__(block_threads) lovasz_shares(ShareArgs a) {
    __shared__ double shared[block_threads];
    double counted = 0;
    for (int image = int(threadIdx.x); image < a.images; image += block_threads) {
        const int here = a.pixels_of[a.channels * a.images + image];
        int classes = 0;
        for (int c = 0; c < a.channels; ++c) classes += a.all || a.pixels_of[c * a.images + image] > 0;
        counted += here;
        for (int c = 0; c < a.channels; ++c) {
            const bool counts = here > 0 && (a.all || a.pixels_of[c * a.images + image] > 0);
            a.shares[c * a.images + image] = counts ? float(1 / (double(classes) * a.images)) : 0.0f;
        }
    }
    counted = block_sum<block_threads>(shared, counted);
    if (threadIdx.x == 0) *a.counted = float(counted);
}

struct SlopeArgs {
    const uint32_t *keys, *values;  // sorted
    const int* pixels_of;
    const float* shares;
    int* before;  // [segments][tiles]: pixels of the class in a tile, then in front of it
    float* slopes;
    double* losses;  // [segments][tiles]
    int64_t length;

    __device__ __forceinline__ int64_t first() const { return int64_t(blockIdx.x) * sort_tile; }
    __device__ __forceinline__ int64_t begin() const { return int64_t(blockIdx.y) * length; }
    __device__ __forceinline__ int64_t tile() const { return int64_t(blockIdx.y) * gridDim.x + blockIdx.x; }
};

constexpr int ranks = sort_tile / block_threads;  // of a thread

__device__ __forceinline__ int count_of_class(const SlopeArgs& a) {
    const int64_t first = a.first() + int(threadIdx.x) * ranks;
    int sum = 0;
    for (int i = 0; i < ranks; ++i)
        if (first + i < a.length) sum += int(a.values[a.begin() + first + i] & 1);
    return sum;
}

__global__ void __launch_bounds__(block_threads) lovasz_count(SlopeArgs a) {
    __shared__ double shared[block_threads];
    const double sum = block_sum<block_threads>(shared, count_of_class(a));
    if (threadIdx.x == 0) a.before[a.tile()] = int(sum);
}

__global__ void __launch_bounds__(block_threads) lovasz_slopes(SlopeArgs a) {
    __shared__ int shared[block_threads / 32];
    __shared__ double sums[block_threads];
    const int64_t first = a.first() + int(threadIdx.x) * ranks;
    const int passed = a.before[a.tile()] + sum_before(shared, count_of_class(a)), all = a.pixels_of[blockIdx.y];
    // Intersection and union behind those passed.
    int64_t rest = all - passed, together = all + first - passed;
    const float share = a.shares[blockIdx.y];
    double loss = 0;
    for (int i = 0; i < ranks; ++i) {
        if (first + i >= a.length) break;
        const uint32_t value = a.values[a.begin() + first + i];
        const float error = __uint_as_float(~a.keys[a.begin() + first + i]);
        // What the Jaccard loss grows by, without the difference of two that are nearly equal.
        const bool of_class = value & 1;
        float growth = 1;
        if (of_class)
            growth = 1 / float(together), --rest;
        else if (together++ > 0)
            growth = float(rest) / (float(together - 1) * float(together));
        const float slope = error == 0 ? 0.0f : share * growth;
        loss += double(error) * slope;
        a.slopes[a.begin() + (value >> 1)] = of_class ? -slope : slope;
    }
    loss = block_sum<block_threads>(sums, loss);
    if (threadIdx.x == 0) a.losses[a.tile()] = loss;
}

struct FinishArgs {
    const double* losses;
    const float* counted;
    float* loss;
    int64_t count;
    float weight;
};

__global__ void __launch_bounds__(block_threads) finish_lovasz(FinishArgs a) {
    __shared__ double shared[block_threads];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.count; i += block_threads) sum += a.losses[i];
    sum = block_sum<block_threads>(shared, sum);
    if (threadIdx.x == 0) a.loss[0] = float(a.weight * sum), a.loss[1] = float(sum), a.loss[2] = *a.counted;
}

// ---- launchers ----

template <class T>
void write_errors(Queue& q, const LovaszForwardArgs& a, const Segments& s, int images, int* pixels, int64_t blocks) {
    const View& z = a.logits;
    launch(lovasz_errors<T>, dim3(unsigned(blocks), unsigned(images)), dim3(block_threads), 0, q.stream(),
           ErrorArgs<T>{z.as<T>(), a.labels, s.keys, s.values, pixels, z.pitch, s.length, int(z.c),
                        a.options.ignore_index, images});
}

}  // namespace

void lovasz_forward(Queue& q, const LovaszForwardArgs& a) {
    check(a);
    const View& z = a.logits;
    const LovaszSegments segments(z, a.options);
    if (segments.count > 65535)
        throw ShapeError("lovasz: " + std::to_string(segments.images) + " images x " + std::to_string(z.c) +
                         " classes are more than the 65535 that are sorted at once; take fewer images, or all of them "
                         "together, without per_image");
    const size_t elements = size_t(z.pixels() * z.c);
    const Segments s{q.scratch<uint32_t>(elements), q.scratch<uint32_t>(elements), segments.count, segments.length};
    const int images = int(segments.images), channels = int(z.c);
    const int64_t blocks = ceil_div(s.length, block_threads), tiles = s.count * s.tiles();
    int* const pixels = q.scratch<int>(size_t((channels + 1) * images * blocks));
    ran("lovasz_forward/radix");
    dispatch_gpu("lovasz_forward", z.dtype,
                 [&](auto zero) { write_errors<decltype(zero)>(q, a, s, images, pixels, blocks); });
    ShareArgs shares{pixels,
                     q.scratch<int>(size_t(s.count + images)),
                     q.scratch<float>(size_t(s.count)),
                     q.scratch<float>(1),
                     blocks,
                     channels,
                     images,
                     channels == 1 || a.options.classes == LovaszClasses::all};
    launch(lovasz_pixels, dim3(unsigned(images), unsigned(channels + 1)), dim3(block_threads), 0, q.stream(), shares);
    launch(lovasz_shares, dim3(1), dim3(block_threads), 0, q.stream(), shares);
    sort_segments(q, s);
    const SlopeArgs k{s.keys,
                      s.values,
                      shares.pixels_of,
                      shares.shares,
                      q.scratch<int>(size_t(tiles)),
                      static_cast<float*>(a.slopes),
                      q.scratch<double>(size_t(tiles)),
                      s.length};
    const dim3 grid(unsigned(s.tiles()), unsigned(s.count));
    launch(lovasz_count, grid, dim3(block_threads), 0, q.stream(), k);
    scan_arrays(q, k.before, s.count, s.tiles());
    launch(lovasz_slopes, grid, dim3(block_threads), 0, q.stream(), k);
    launch(finish_lovasz, dim3(1), dim3(block_threads), 0, q.stream(),
           FinishArgs{k.losses, shares.counted, static_cast<float*>(a.loss), tiles, float(a.options.weight)});
}

}  // namespace atrous::kernels::cuda
