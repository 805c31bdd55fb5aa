// How blocks walk NHWC tensors with a pixel pitch: in groups of W neighbouring channels, 16 bytes where shape, pitch
// and pointer allow it, one element otherwise. Three walks:
//   Tiles     pixels in any order, every group on its own: pointwise kernels
//   Rows      a thread has its place in an image row, a block its rows: pooling, resampling
//   Columns   a thread keeps its channels and visits many pixels: per-channel constants and sums stay in registers
#pragma once

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <type_traits>

#include "base/error.h"
#include "base/variant.h"
#include "kernels/gpu/device.h"

namespace atrous::gpu {

constexpr int block_threads = 256;

template <class T>
constexpr int vector_width = 16 / int(sizeof(T));

// Quotients of n < 2^31 by a divisor known on the host: a multiplication and a shift.
struct Divider {
    uint32_t divisor = 1, multiplier = 1, shift = 0;
    Divider() = default;
    explicit Divider(int64_t d) : divisor(uint32_t(d)) {
        while ((uint64_t(1) << shift) < divisor) ++shift;
        multiplier = uint32_t((((uint64_t(1) << shift) - divisor) << 32) / divisor + 1);
    }
    __device__ __forceinline__ int divide(int n) const {
        return int((uint32_t(uint64_t(uint32_t(n)) * multiplier >> 32) + uint32_t(n)) >> shift);
    }
};

// ---- vectors of elements ----

template <int W>
struct Floats {
    float v[W];
};

template <int W, class T>
__device__ __forceinline__ Vec<T, W> load_vector(const T* p) {
    return *reinterpret_cast<const Vec<T, W>*>(p);
}

template <class T, int W>
__device__ __forceinline__ void store_vector(T* p, const Vec<T, W>& v) {
    *reinterpret_cast<Vec<T, W>*>(p) = v;
}
template <class T, int W>
__device__ __forceinline__ Floats<W> to_floats(const Vec<T, W>& v) {
    Floats<W> f;
#pragma unroll
    for (int i = 0; i < W; ++i) f.v[i] = device_float(v.v[i]);
    return f;
}
template <int W, class T>
__device__ __forceinline__ Floats<W> load_floats(const T* p) {
    return to_floats(load_vector<W>(p));
}
// The 32-bit words of W elements.
template <class T, int W>
struct Words {
    uint32_t v[W * sizeof(T) / 4];

    explicit __device__ __forceinline__ Words(const Floats<W>& f) {
#pragma unroll
        for (int i = 0; i < W * int(sizeof(T)) / 4; ++i) {
            if constexpr (sizeof(T) == 2)
                v[i] = device_round_pair<T>(f.v[2 * i], f.v[2 * i + 1]);
            else
                v[i] = __float_as_uint(f.v[i]);
        }
    }
};
// Vectors go through __stcg, which is one instruction by name: nvcc splits an assignment of a vector of results back
// into stores of its elements.
template <class T, int W>
__device__ __forceinline__ void store_floats(T* p, const Floats<W>& f) {
    if constexpr (sizeof(T) * W == 16) {
        const Words<T, W> words(f);
        __stcg(reinterpret_cast<uint4*>(p), make_uint4(words.v[0], words.v[1], words.v[2], words.v[3]));
    } else if constexpr (sizeof(T) * W == 8) {
        const Words<T, W> words(f);
        __stcg(reinterpret_cast<uint2*>(p), make_uint2(words.v[0], words.v[1]));
    } else {
        static_assert(W == 1);
        *p = device_round<T>(f.v[0]);
    }
}

// W values of a per-channel array, which may have any alignment.
template <int W>
__device__ __forceinline__ Floats<W> load_each(const float* p) {
    Floats<W> f;
    if (W % 4 == 0 && reinterpret_cast<uintptr_t>(p) % 16 == 0) {
#pragma unroll
        for (int i = 0; i < W / 4; ++i) {
            const Floats<4> four = load_floats<4>(p + 4 * i);
#pragma unroll
            for (int j = 0; j < 4; ++j) f.v[4 * i + j] = four.v[j];
        }
        return f;
    }
#pragma unroll
    for (int i = 0; i < W; ++i) f.v[i] = p[i];
    return f;
}

constexpr int64_t max_images = 65535;  // a grid's second and third dimension

// ---- choosing the width on the host ----

inline bool aligned(const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// Whether groups of `width` channels of v are single aligned accesses. An absent view fits.
inline bool groups_fit(const View& v, int width) {
    return !v || (v.c % width == 0 && v.pitch % width == 0 && aligned(v.data, width * size_of(v.dtype)));
}

// Calls f(integral_constant W) with W = Wide or 1.
template <int Wide, class F>
void with_width(bool wide, F f) {
    if (wide) return f(std::integral_constant<int, Wide>());
    f(std::integral_constant<int, 1>());
}

// ran("<function>/vec8") or ran("<function>/scalar"), with `prefix` before the width.
inline void ran_width(const char* function, int width, const char* prefix = "") {
    char name[96];
    if (width == 1)
        std::snprintf(name, sizeof name, "%s/%sscalar", function, prefix);
    else
        std::snprintf(name, sizeof name, "%s/%svec%d", function, prefix, width);
    ran(name);
}

inline int round_to_warps(int64_t threads) { return int(std::min<int64_t>(block_threads, ceil_div(threads, 32) * 32)); }

// ---- Tiles ----

// Block b owns pixels [b * pixels_per_block, (b + 1) * pixels_per_block) and their groups.
struct Tiles {
    int64_t pixels = 0;
    int pixels_per_block = 1, groups = 1, threads = block_threads;
    Divider by_groups;

    Tiles() = default;
    Tiles(int64_t pixel_count, int64_t group_count, int steps)
        : pixels(pixel_count), groups(int(group_count)), by_groups(group_count) {
        pixels_per_block =
            int(std::clamp<int64_t>(steps * block_threads / group_count, 1, std::max<int64_t>(pixels, 1)));
        threads = round_to_warps(int64_t(pixels_per_block) * groups);
    }
    dim3 grid() const { return dim3(unsigned(ceil_div(pixels, pixels_per_block))); }
};

// A pointwise walk over views of one shape: dense tensors are one long row of vectors whatever their channel count.
struct Pointwise {
    int width = 1;
    bool flat = false;
    Tiles tiles;

    Pointwise(std::initializer_list<const View*> views, int wide, int steps) {
        const View& first = **views.begin();
        const auto all = [&](auto test) {
            return std::all_of(views.begin(), views.end(), [&](const View* v) { return !*v || test(*v); });
        };
        flat = all([](const View& v) { return v.dense(); });
        const auto starts_aligned = [&](const View& v) { return aligned(v.data, wide * size_of(v.dtype)); };
        const bool vectors = flat ? first.count() % wide == 0 && all(starts_aligned)
                                  : all([&](const View& v) { return groups_fit(v, wide); });
        width = vectors ? wide : 1;
        tiles = flat ? Tiles(first.count() / width, 1, steps) : Tiles(first.pixels(), first.c / width, steps);
    }
    int64_t pitch(const View& v) const { return flat ? width : v.pitch; }
};

// For every group of the block's tile: finish(pixel, group, load(pixel, group)). `Unroll` loads are started before the
// first finish, so that enough memory accesses are under way.
template <int Unroll, class Load, class Finish>
__device__ __forceinline__ void for_each_group(const Tiles& tiles, Load load, Finish finish) {
    const int64_t first = int64_t(blockIdx.x) * tiles.pixels_per_block;
    const int64_t left = tiles.pixels - first;
    const int items = int(left < tiles.pixels_per_block ? left : tiles.pixels_per_block) * tiles.groups;
    const int threads = int(blockDim.x);
    for (int start = int(threadIdx.x); start < items; start += Unroll * threads) {
        decltype(load(first, 0)) loaded[Unroll];
#pragma unroll
        for (int u = 0; u < Unroll; ++u) {
            const int item = start + u * threads, pixel = tiles.by_groups.divide(item);
            if (item < items) loaded[u] = load(first + pixel, item - pixel * tiles.groups);
        }
#pragma unroll
        for (int u = 0; u < Unroll; ++u) {
            const int item = start + u * threads, pixel = tiles.by_groups.divide(item);
            if (item < items) finish(first + pixel, item - pixel * tiles.groups, loaded[u]);
        }
    }
}

// ---- Rows ----

// Block (x, y) owns groups [x * threads, ...) of image rows y, y + gridDim.y, ...: one group of one pixel a thread.
struct Rows {
    int rows = 0, groups = 1, items = 0, threads = block_threads;
    Divider by_groups, by_rows_per_image;

    Rows() = default;
    Rows(int64_t images, int64_t rows_per_image, int64_t row_pixels, int64_t group_count)
        : rows(int(images * rows_per_image)),
          groups(int(group_count)),
          items(int(row_pixels * group_count)),
          by_groups(group_count),
          by_rows_per_image(rows_per_image) {
        require(images * rows_per_image < (int64_t(1) << 31) && row_pixels * group_count < (int64_t(1) << 31),
                "an image row or the number of image rows is beyond 2^31");
        threads = round_to_warps(items);
    }
    dim3 grid() const { return dim3(unsigned(ceil_div(items, threads)), unsigned(std::min(rows, 65535))); }
};

// f(image, row in the image, pixel in the row, group) for each of the thread's.
template <class F>
__device__ __forceinline__ void for_each_row(const Rows& shape, F f) {
    const int item = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (item >= shape.items) return;
    const int pixel = shape.by_groups.divide(item), group = item - pixel * shape.groups;
    for (int row = int(blockIdx.y); row < shape.rows; row += int(gridDim.y)) {
        const int image = shape.by_rows_per_image.divide(row);
        f(image, row - image * int(shape.by_rows_per_image.divisor), pixel, group);
    }
}

// ---- Columns ----

// Block (x, y) owns pixels [x * pixels_per_block, ...) of channel groups [y * lanes, (y + 1) * lanes). Thread
// (row, lane) keeps group y * lanes + lane and visits every rows-th pixel. The shape depends on the tensor alone, never
// on the GPU, and so do the sums of kernels that reduce over pixels.
struct Columns {
    int64_t pixels = 0, channels = 0, pixels_per_block = 0;
    int lanes = 1, rows = 1, threads = block_threads, slabs = 1, chunks = 1;

    // A thread visits between min_steps and max_steps pixels; within that, about `blocks` blocks.
    Columns() = default;
    Columns(int64_t pixel_count, int64_t channel_count, int width, int64_t blocks, int64_t min_steps, int64_t max_steps)
        : pixels(pixel_count), channels(channel_count) {
        const int64_t groups = channels / width;
        lanes = int(ceil_div(groups, ceil_div(groups, 32)));
        slabs = int(ceil_div(groups, lanes));
        rows = int(std::clamp<int64_t>(block_threads / lanes, 1, std::max<int64_t>(pixels, 1)));
        threads = round_to_warps(int64_t(rows) * lanes);
        const int64_t wanted = ceil_div(pixels, rows * std::max<int64_t>(1, blocks / slabs));
        pixels_per_block = std::clamp(wanted, min_steps, max_steps) * rows;
        chunks = int(ceil_div(pixels, pixels_per_block));
    }
    dim3 grid(int64_t images = 1) const { return dim3(unsigned(chunks), unsigned(slabs), unsigned(images)); }
};

struct ColumnPlace {
    int row, lane;
    int64_t channel;      // the first of the thread's W
    int64_t first, last;  // the block's pixels
    bool in_block;        // has a row of its own
    bool active;          // and channels
};

template <int W>
__device__ __forceinline__ ColumnPlace place_in(const Columns& shape) {
    ColumnPlace p;
    p.row = int(threadIdx.x) / shape.lanes;
    p.lane = int(threadIdx.x) - p.row * shape.lanes;
    p.channel = (int64_t(blockIdx.y) * shape.lanes + p.lane) * W;
    p.first = int64_t(blockIdx.x) * shape.pixels_per_block;
    p.last = p.first + shape.pixels_per_block < shape.pixels ? p.first + shape.pixels_per_block : shape.pixels;
    p.in_block = p.row < shape.rows;
    p.active = p.in_block && p.channel < shape.channels;
    return p;
}

// finish(pixel, load(pixel)) for every pixel of the thread, in order, with `Unroll` loads started ahead.
template <int Unroll, class Load, class Finish>
__device__ __forceinline__ void for_each_pixel(const ColumnPlace& at, int rows, Load load, Finish finish) {
    for (int64_t start = at.first + at.row; start < at.last; start += int64_t(Unroll) * rows) {
        decltype(load(start)) loaded[Unroll];
#pragma unroll
        for (int u = 0; u < Unroll; ++u)
            if (start + u * rows < at.last) loaded[u] = load(start + u * rows);
#pragma unroll
        for (int u = 0; u < Unroll; ++u)
            if (start + u * rows < at.last) finish(start + u * rows, loaded[u]);
    }
}

}  // namespace atrous::gpu
