// The boundary loss. A thread takes a column of an image and a class: down and up again it notes, of each pixel, how far
// in the column the nearest pixel of the class is, and the nearest of another class. One block finds which classes have
// distances in which image. Then a thread a pixel looks to both sides along its row, no further than the nearest that it
// has found, and turns distances into slopes and their share of the loss, which one block adds up.
#include "kernels/boundary.h"

#include "base/dispatch.h"
#include "kernels/cuda/softmax.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

constexpr uint32_t none = 46341;  // beyond any distance; its square and that of a side are together below 2^32

struct BoundaryArgs {
    const uint8_t* labels;
    uint32_t* columns;     // [N][K][H][W]: distance to the class in the low half, to others in the high half
    int *present, *other;  // [N * K][blocks]: whether a block's columns have pixels of the class, and of others
    int* counted;          // [N][blocks]
    int* has_distances;    // [N * K]
    float* totals;         // [2]: 1 / (counted pixels * K), counted pixels
    int height, width, channels, first, classes, ignore_index;
    int64_t images, blocks;

    __device__ __forceinline__ int wanted(int k) const { return channels == 1 ? 1 : first + k; }
};

// Block (x, y, z): 256 columns of class y of image z.
__global__ void __launch_bounds__(block_threads) boundary_columns(BoundaryArgs a) {
    const int x = int(blockIdx.x) * block_threads + int(threadIdx.x), wanted = a.wanted(int(blockIdx.y));
    const int64_t map = int64_t(blockIdx.z) * a.classes + blockIdx.y, image_pixels = int64_t(a.height) * a.width;
    const uint8_t* const labels = a.labels + blockIdx.z * image_pixels + x;
    uint32_t* const column = a.columns + map * image_pixels + x;
    const int height = x < a.width ? a.height : 0;
    uint32_t to_class = none, to_others = none;
    int counted = 0, inside = 0;
    for (int y = 0; y < height; ++y) {
        const int id = class_of(labels[int64_t(y) * a.width], a.channels, a.ignore_index);
        to_class = id == wanted ? 0 : min(to_class + 1, none);
        to_others = id >= 0 && id != wanted ? 0 : min(to_others + 1, none);
        counted += id >= 0, inside += id == wanted;
        column[int64_t(y) * a.width] = to_class | to_others << 16;
    }
    for (int y = height - 1; y >= 0; --y) {
        const uint32_t above = column[int64_t(y) * a.width];
        to_class = min(above & 0xffff, min(to_class + 1, none));
        to_others = min(above >> 16, min(to_others + 1, none));
        column[int64_t(y) * a.width] = to_class | to_others << 16;
    }
    const int present = __syncthreads_or(inside > 0), other = __syncthreads_or(counted > inside);
    __shared__ double shared[block_threads];
    const double sum = block_sum<block_threads>(shared, counted);
    if (threadIdx.x != 0) return;
    a.present[map * a.blocks + blockIdx.x] = present, a.other[map * a.blocks + blockIdx.x] = other;
    if (blockIdx.y == 0) a.counted[blockIdx.z * a.blocks + blockIdx.x] = int(sum);
}

__global__ void __launch_bounds__(block_threads) boundary_totals(BoundaryArgs a) {
    __shared__ double shared[block_threads];
    for (int64_t map = threadIdx.x; map < a.images * a.classes; map += block_threads) {
        bool present = false, other = false;
        for (int64_t b = map * a.blocks; b < (map + 1) * a.blocks; ++b)
            present = present || a.present[b], other = other || a.other[b];
        a.has_distances[map] = present && other;
    }
    double counted = 0;
    for (int64_t b = threadIdx.x; b < a.images * a.blocks; b += block_threads) counted += a.counted[b];
    counted = block_sum<block_threads>(shared, counted);
    if (threadIdx.x != 0) return;
    a.totals[0] = counted > 0 ? float(1 / (counted * a.classes)) : 0.0f;
    a.totals[1] = float(counted);
}

template <class T>
struct SlopeArgs {
    BoundaryArgs b;
    const T* logits;
    float* slopes;
    double* losses;  // [N][blocks]
    int64_t pitch, pixels;
};

// The square of the distance from place x of a row to the nearest pixel. `shift`: 0 of the class, 16 of others.
__device__ __forceinline__ uint32_t nearest_in_row(const uint32_t* row, int width, int x, int shift) {
    const auto square_at = [&](int at) {
        const uint32_t d = row[at] >> shift & 0xffff;
        return d * d;
    };
    uint32_t best = square_at(x);
    for (int d = 1; uint32_t(d) * uint32_t(d) < best; ++d) {
        const uint32_t square = uint32_t(d) * uint32_t(d);
        if (x - d < 0 && x + d >= width) break;
        if (x - d >= 0) best = min(best, square_at(x - d) + square);
        if (x + d < width) best = min(best, square_at(x + d) + square);
    }
    return best;
}

// Block (x, y): 256 neighbouring pixels of image y.
template <class T>
__global__ void __launch_bounds__(block_threads) boundary_slopes(SlopeArgs<T> a) {
    __shared__ double shared[block_threads];
    const BoundaryArgs& b = a.b;
    const int place = int(blockIdx.x) * block_threads + int(threadIdx.x), image_pixels = b.height * b.width;
    const int64_t pixel = int64_t(blockIdx.y) * image_pixels + place;
    const int id = place < image_pixels ? class_of(b.labels[pixel], b.channels, b.ignore_index) : -1;
    double loss = 0;
    if (place < image_pixels)
        for (int c = 0; c < (id < 0 ? b.channels : b.first); ++c) a.slopes[c * a.pixels + pixel] = 0;
    if (id >= 0) {
        const PixelSoftmax<T> softmax(a.logits + pixel * a.pitch, b.channels);
        const int x = place % b.width, row = place - x;
        for (int k = 0; k < b.classes; ++k) {
            const int64_t map = int64_t(blockIdx.y) * b.classes + k;
            const bool inside = id == b.wanted(k);
            float distance = 0;
            if (b.has_distances[map]) {
                distance =
                    sqrtf(float(nearest_in_row(b.columns + map * image_pixels + row, b.width, x, inside ? 16 : 0)));
                if (inside) distance = 1 - distance;
            }
            const float p = softmax.p(b.first + k), share = distance * b.totals[0];
            loss += double(p) * share;
            a.slopes[(b.first + k) * a.pixels + pixel] =
                b.channels == 1 ? share * p * softmax.sigmoid(-device_float(softmax.z[0])) : share;
        }
    }
    loss = block_sum<block_threads>(shared, loss);
    if (threadIdx.x == 0) a.losses[int64_t(blockIdx.y) * gridDim.x + blockIdx.x] = loss;
}

struct FinishArgs {
    const double* losses;
    const float* totals;
    float* loss;
    int64_t count;
    float weight;
};

__global__ void __launch_bounds__(block_threads) finish_boundary(FinishArgs a) {
    __shared__ double shared[block_threads];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.count; i += block_threads) sum += a.losses[i];
    sum = block_sum<block_threads>(shared, sum);
    if (threadIdx.x == 0) a.loss[0] = float(a.weight * sum), a.loss[1] = float(sum), a.loss[2] = a.totals[1];
}

// ---- launchers ----

BoundaryArgs boundary_args(Queue& q, const BoundaryForwardArgs& a) {
    const View& z = a.logits;
    const BoundaryClasses classes(z, a.options);
    const int64_t maps = z.n * classes.count, blocks = ceil_div(z.w, block_threads);
    BoundaryArgs b{};
    b.labels = a.labels;
    b.columns = q.scratch<uint32_t>(size_t(maps * z.h * z.w));
    b.present = q.scratch<int>(size_t(maps * blocks)), b.other = q.scratch<int>(size_t(maps * blocks));
    b.counted = q.scratch<int>(size_t(z.n * blocks)), b.has_distances = q.scratch<int>(size_t(maps));
    b.totals = q.scratch<float>(2);
    b.height = int(z.h), b.width = int(z.w), b.channels = int(z.c);
    b.first = int(classes.first), b.classes = int(classes.count), b.ignore_index = a.options.ignore_index;
    b.images = z.n, b.blocks = blocks;
    return b;
}

}  // namespace

void boundary_forward(Queue& q, const BoundaryForwardArgs& a) {
    check(a);
    const View& z = a.logits;
    require(z.n <= max_images, "boundary: at most 65535 images at once");
    ran("boundary_forward/columns");
    const BoundaryArgs b = boundary_args(q, a);
    launch(boundary_columns, dim3(unsigned(b.blocks), unsigned(b.classes), unsigned(z.n)), dim3(block_threads), 0,
           q.stream(), b);
    launch(boundary_totals, dim3(1), dim3(block_threads), 0, q.stream(), b);
    const int64_t blocks = ceil_div(z.h * z.w, block_threads);
    auto* const losses = q.scratch<double>(size_t(z.n * blocks));
    dispatch_gpu("boundary_forward", z.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(boundary_slopes<T>, dim3(unsigned(blocks), unsigned(z.n)), dim3(block_threads), 0, q.stream(),
               SlopeArgs<T>{b, z.as<T>(), static_cast<float*>(a.slopes), losses, z.pitch, z.pixels()});
    });
    launch(finish_boundary, dim3(1), dim3(block_threads), 0, q.stream(),
           FinishArgs{losses, b.totals, static_cast<float*>(a.loss), z.n * blocks, float(a.options.weight)});
}

}  // namespace atrous::kernels::cuda
