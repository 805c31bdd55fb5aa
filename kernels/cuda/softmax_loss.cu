// Softmax losses. Grid of the kernels that read tensors: x over chunks of tiles of one image, z over images. A block of
// 256 threads owns a chunk; it brings one tile of 32 to 256 pixels at a time into shared memory, in the order in which
// it lies, and gives every pixel 1 to 8 neighbouring threads, which share its classes. Rows of a tile have an odd
// length, so that both pixels and classes are spread over the banks.
// Shared memory: a tile of at most 24 KiB (33 KiB for 192 classes and more), its labels, and 5 KiB for sums.
//
// Forward: sums (one read), a finishing kernel that adds the chunks, one block for the loss.
// Backward: one block for the coefficients of every image and class, then one read and one write.
#include "kernels/softmax_loss.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: tiles ----

template <class T>
struct LossArgs {
    const T* logits;
    const uint8_t* labels;
    const float* class_weights;
    T* dlogits;
    int64_t pitch, dlogits_pitch, image_pixels;
    int channels, classes, ignore_index;
    int tile_pitch, tile_pixels, threads_a_pixel, tiles_a_block, tiles;  // tiles: of an image
    float gamma, smoothing;
    bool accumulate;
    Divider by_channels;
    float* partials;                          // [N][chunks][3 K + 1]: ce, TP of each class, p, pixels
    const float *outside, *extra, *ce_scale;  // [N][K], [N][K], [1]: as kernels/cpu/softmax_loss.cpp names them

    __device__ __forceinline__ int offset() const { return classes - channels; }  // classes without a logit
};

struct Tile {
    float* values;  // [tile_pixels][tile_pitch]: logits, then probabilities, then gradients
    int* labels;    // -1: does not count
    int64_t first;  // pixel of the image
    int pixels;

    template <class T>
    __device__ __forceinline__ Tile(const LossArgs<T>& a, int index)
        : values(dynamic_shared<float>()),
          labels(reinterpret_cast<int*>(values + a.tile_pixels * a.tile_pitch)),
          first(int64_t(index) * a.tile_pixels),
          pixels(int(min(int64_t(a.tile_pixels), a.image_pixels - first))) {}

    // f(offset of W values from the tile's first pixel in memory, pixel, channel) for every W values of the tile.
    template <int W, class T, class F>
    __device__ __forceinline__ void for_each(const LossArgs<T>& a, int64_t pitch, F f) const {
        for (int i = int(threadIdx.x) * W; i < pixels * a.channels; i += block_threads * W) {
            const int pixel = a.by_channels.divide(i), channel = i - pixel * a.channels;
            f(W > 1 ? int64_t(i) : pixel * pitch + channel, pixel, channel);
        }
    }

    template <class T, int W>
    __device__ __forceinline__ void load(const LossArgs<T>& a) const {
        const int64_t image = int64_t(blockIdx.z) * a.image_pixels;
        const T* const logits = a.logits + (image + first) * a.pitch;
        for_each<W>(a, a.pitch, [&](int64_t from, int pixel, int channel) {
            const Floats<W> z = load_floats<W>(logits + from);
            int to = pixel * a.tile_pitch + channel + a.offset();
#pragma unroll
            for (int i = 0; i < W; ++i, ++to, ++channel) {
                if (channel == a.channels) channel = 0, to += a.tile_pitch - a.channels;
                values[to] = z.v[i];
            }
        });
        const int pixel = int(threadIdx.x);
        if (pixel >= pixels) return;
        if (a.offset() > 0) values[pixel * a.tile_pitch] = 0;
        const int label = a.labels[image + first + pixel], binary = label != 0;
        const int id = a.offset() > 0 ? binary : label < a.classes ? label : -1;
        labels[pixel] = label == a.ignore_index ? -1 : id;
    }

    template <class T, int W>
    __device__ __forceinline__ void store(const LossArgs<T>& a) const {
        T* const dlogits = a.dlogits + (int64_t(blockIdx.z) * a.image_pixels + first) * a.dlogits_pitch;
        for_each<W>(a, a.dlogits_pitch, [&](int64_t to, int pixel, int channel) {
            Floats<W> dz;
            int from = pixel * a.tile_pitch + channel + a.offset();
#pragma unroll
            for (int i = 0; i < W; ++i, ++from, ++channel) {
                if (channel == a.channels) channel = 0, from += a.tile_pitch - a.channels;
                dz.v[i] = values[from];
            }
            if (a.accumulate) {
                const Floats<W> old = load_floats<W>(dlogits + to);
#pragma unroll
                for (int i = 0; i < W; ++i) dz.v[i] += old.v[i];
            }
            store_floats(dlogits + to, dz);
        });
    }
};

// A thread's part in one pixel of the tile, after the softmax. Full warps construct it and call sum(). Kernels without label
// smoothing are compiled apart, for what it needs takes registers.
template <bool Smooth>
struct PixelWork {
    int width, lane, label = -1;        // width: threads of the pixel; label -1: none, or does not count
    float* row;                         // null: no pixel
    float q = 0, log_q = 0, rest = 1;   // of the label's class; rest = 1 - q, both to their last digit
    float all_weights = 0, spread = 0;  // with label smoothing: sums of w[c] and of w[c] * -log p[c]

    template <class T>
    __device__ __forceinline__ PixelWork(const LossArgs<T>& a, const Tile& tile)
        : width(a.threads_a_pixel), lane(int(threadIdx.x) % width) {
        const int pixel = int(threadIdx.x) / width;
        row = pixel < tile.pixels ? tile.values + pixel * a.tile_pitch : nullptr;
        float largest = -INFINITY, label_logit = 0, others = 0;
        if (row) {
            label = tile.labels[pixel];
            if (label >= 0) label_logit = row[label];
            for (int c = lane; c < a.classes; c += width) largest = fmaxf(largest, row[c]);
        }
        for (int d = 1; d < width; d *= 2) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, d));
        __syncwarp();  // label_logit is read
        if constexpr (Smooth) sum_below(a, largest);
        if (row)
            for (int c = lane; c < a.classes; c += width) {
                row[c] = __expf(row[c] - largest);
                others += c == label ? 0.0f : row[c];
            }
        others = sum(others);
        if (!row) return;
        const float e = label < 0 ? 0.0f : __expf(label_logit - largest), total = others + e, inverse = 1 / total;
        for (int c = lane; c < a.classes; c += width) row[c] *= inverse;
        if (label < 0) return;
        if constexpr (Smooth) spread += all_weights * logf(total);
        log_q = e > others ? -log1pf(others / e) : label_logit - largest - logf(total);
        q = e * inverse, rest = others * inverse;
    }
    // The part of `spread` that is known before the exponentials, without cancellation.
    template <class T>
    __device__ __forceinline__ void sum_below(const LossArgs<T>& a, float largest) {
        if (row)
            for (int c = lane; c < a.classes; c += width) {
                const float w = a.class_weights ? a.class_weights[c] : 1.0f;
                all_weights += w, spread += w * (largest - row[c]);
            }
        all_weights = sum(all_weights), spread = sum(spread);
    }
    // The sum over the pixel's threads, for each of them.
    __device__ __forceinline__ float sum(float value) const {
        for (int d = 1; d < width; d *= 2) value += __shfl_xor_sync(~0u, value, d);
        return value;
    }
    template <class T>
    __device__ __forceinline__ float weight(const LossArgs<T>& a) const {
        return a.class_weights ? a.class_weights[label] : 1.0f;
    }
};

// ---- kernels: forward ----

// One class over every parts-th pixel of the block's tiles.
struct ClassSums {
    int parts, part, c;
    float tp = 0, p = 0, t = 0;

    explicit __device__ __forceinline__ ClassSums(int classes)
        : parts(block_threads / classes), part(int(threadIdx.x) / classes), c(int(threadIdx.x) - part * classes) {}
    __device__ __forceinline__ void add(const Tile& tile, int tile_pitch) {
        if (part >= parts) return;
        for (int pixel = part; pixel < tile.pixels; pixel += parts) {
            const int label = tile.labels[pixel];
            if (label < 0) continue;
            const float value = tile.values[pixel * tile_pitch + c];
            p += value;
            if (label == c) tp += value, t += 1;
        }
    }
};

template <class T, int W, bool Smooth>
__global__ void __launch_bounds__(block_threads, 3) softmax_loss_sums_kernel(LossArgs<T> a) {
    __shared__ float shared[3 * block_threads];
    __shared__ double totals[block_threads];
    const int first_tile = int(blockIdx.x) * a.tiles_a_block, end = min(first_tile + a.tiles_a_block, a.tiles);
    ClassSums sums(a.classes);
    float ce = 0;
    for (int index = first_tile; index < end; ++index) {
        const Tile tile(a, index);
        tile.load<T, W>(a);
        __syncthreads();
        const PixelWork<Smooth> pixel(a, tile);
        if (pixel.label >= 0 && pixel.lane == 0) {
            const float focus = a.gamma > 0 ? __powf(pixel.rest, a.gamma) : 1.0f;
            if constexpr (Smooth)
                ce += a.smoothing / float(a.classes) * pixel.spread - (1 - a.smoothing) * pixel.weight(a) * pixel.log_q;
            else
                ce -= pixel.weight(a) * focus * pixel.log_q;
        }
        __syncthreads();
        sums.add(tile, a.tile_pitch);
        __syncthreads();
    }
    const double ce_total = block_sum<block_threads>(totals, ce);
    const int thread = int(threadIdx.x);
    shared[thread] = sums.tp, shared[block_threads + thread] = sums.p, shared[2 * block_threads + thread] = sums.t;
    __syncthreads();
    float* const to = a.partials + (int64_t(blockIdx.z) * gridDim.x + blockIdx.x) * (3 * a.classes + 1);
    if (thread == 0) to[0] = float(ce_total);
    for (int i = thread; i < 3 * a.classes; i += block_threads) {
        const int kind = i / a.classes, c = i - kind * a.classes;
        float total = 0;
        for (int part = 0; part < sums.parts; ++part) total += shared[kind * block_threads + part * a.classes + c];
        to[1 + i] = total;
    }
}

struct FinishArgs {
    const float* partials;
    float* sums;
    int64_t* counts;
    int chunks, classes;
};

// Pixels are whole numbers below 2^24 in a chunk and below 2^53 in an image: nothing is rounded.
__global__ void __launch_bounds__(finish_threads) finish_softmax_sums(FinishArgs a) {
    const int columns = 3 * a.classes + 1, column = int(blockIdx.x) * finish_columns + finish_place().column;
    const int64_t image = blockIdx.y;
    const float* const partials = a.partials + image * a.chunks * columns + column;
    sum_chunks<1>(
        column < columns ? a.chunks : 0, [&](int64_t chunk, double* sum) { sum[0] += partials[chunk * columns]; },
        [&](const double* sum) {
            if (column >= columns) return;
            const int kind = column == 0 ? -1 : (column - 1) / a.classes, c = column - 1 - kind * a.classes;
            float* const sums = a.sums + image * (2 * a.classes + 1);
            if (kind == 2)
                a.counts[image * a.classes + c] = int64_t(sum[0]);
            else
                sums[kind < 0 ? 0 : 1 + 2 * c + kind] = float(sum[0]);
        });
}

// ---- kernels: one block for what is known of images and classes ----

struct GroupArgs {
    const float* sums;
    const int64_t* counts;
    const float *class_weights, *grad_output;
    float *loss, *outside, *extra, *ce_scale;
    int64_t images;
    int classes, first;
    SoftmaxLossOptions options;
};

struct Group {
    double tp = 0, p = 0, t = 0;

    __device__ __forceinline__ void add(const GroupArgs& a, int64_t n, int c) {
        const float* const s = a.sums + n * (2 * a.classes + 1) + 1 + 2 * c;
        tp += s[0], p += s[1], t += double(a.counts[n * a.classes + c]);
    }
    __device__ __forceinline__ double denominator(const SoftmaxLossOptions& o) const {
        return 2 * tp + 2 * o.alpha * (p - tp) + 2 * o.beta * (t - tp) + o.smooth;
    }
    __device__ __forceinline__ double index(const SoftmaxLossOptions& o) const {
        const double d = denominator(o);
        return d > 0 ? (2 * tp + o.smooth) / d : 1;
    }
};

struct Totals {
    double ce, counted, weight;
    Group all;
};

// By one block. Every thread gets the totals.
__device__ __forceinline__ Totals total_of(const GroupArgs& a, double* shared) {
    Totals mine{};
    for (int64_t i = threadIdx.x; i < a.images * a.classes; i += block_threads) {
        const int64_t n = i / a.classes;
        const int c = int(i - n * a.classes);
        const double count = double(a.counts[i]);
        if (c == 0) mine.ce += a.sums[n * (2 * a.classes + 1)];
        mine.counted += count, mine.weight += count * (a.class_weights ? a.class_weights[c] : 1.0f);
        if (c >= a.first) mine.all.add(a, n, c);
    }
    const auto sum = [&](double x) { return block_sum<block_threads>(shared, x); };
    Totals all{sum(mine.ce), sum(mine.counted), sum(mine.weight), {}};
    all.all = {sum(mine.all.tp), sum(mine.all.p), sum(mine.all.t)};
    all.weight = divisor_of(a.options, all.weight);
    return all;
}

// The group of (image, class).
__device__ __forceinline__ Group group_of(const GroupArgs& a, const Totals& all, int64_t image, int c) {
    if (a.options.groups == DiceGroups::all) return all.all;
    const bool sample = a.options.groups == DiceGroups::sample;
    Group g;
    for (int64_t n = sample ? image : 0; n < (sample ? image + 1 : a.images); ++n) g.add(a, n, c);
    return g;
}

__global__ void __launch_bounds__(block_threads) finish_softmax_loss(GroupArgs a) {
    __shared__ double shared[block_threads];
    const Totals all = total_of(a, shared);
    const int64_t classes = a.classes - a.first, groups = group_count(a.options.groups, a.images, classes);
    double index = 0, region = 0;
    for (int64_t g = threadIdx.x; g < groups; g += block_threads) {
        const double value = group_of(a, all, g / classes, a.first + int(g % classes)).index(a.options);
        index += value, region += pow(max(1 - value, 0.0), a.options.exponent);
    }
    index = block_sum<block_threads>(shared, index) / double(groups);
    region = block_sum<block_threads>(shared, region) / double(groups);
    if (threadIdx.x != 0) return;
    const double ce = all.counted > 0 && all.weight > 0 ? all.ce / all.weight : 0;
    a.loss[0] = float(a.options.ce_weight * ce + a.options.region_weight * region);
    a.loss[1] = float(ce);
    a.loss[2] = float(index);
    a.loss[3] = float(all.counted);
}

__global__ void __launch_bounds__(block_threads) softmax_loss_coefficients(GroupArgs a) {
    __shared__ double shared[block_threads];
    const Totals all = total_of(a, shared);
    const SoftmaxLossOptions& o = a.options;
    const double grad = *a.grad_output, groups = double(group_count(o.groups, a.images, a.classes - a.first));
    for (int64_t i = threadIdx.x; i < a.images * a.classes; i += block_threads) {
        const int64_t n = i / a.classes;
        const int c = int(i - n * a.classes);
        double outside = 0, extra = 0;
        if (c >= a.first) {
            const Group g = group_of(a, all, n, c);
            const double index = g.index(o), denominator = g.denominator(o);
            const double share = denominator > 0 ? grad * o.region_weight / groups * o.exponent *
                                                       pow(max(1 - index, 1e-6), o.exponent - 1) / denominator
                                                 : 0;
            outside = share * 2 * o.alpha * index;
            extra = -2 * share * (1 - (1 - o.alpha - o.beta) * index);
        }
        a.outside[i] = float(outside), a.extra[i] = float(extra);
    }
    if (threadIdx.x == 0) *a.ce_scale = all.weight > 0 ? float(grad * o.ce_weight / all.weight) : 0;
}

// ---- kernels: backward ----

// d(loss)/d(z[c]) = p[c] * (slope + outside[c] - mean), and for the label's class q * (outside + extra - mean) - slope
// * (1 - q).
template <class T, int W, bool Smooth>
__global__ void __launch_bounds__(block_threads, 3) softmax_loss_gradient(LossArgs<T> a) {
    const int first_tile = int(blockIdx.x) * a.tiles_a_block, end = min(first_tile + a.tiles_a_block, a.tiles);
    const float* const outside = a.outside + int64_t(blockIdx.z) * a.classes;
    const float* const extra = a.extra + int64_t(blockIdx.z) * a.classes;
    const float ce_scale = *a.ce_scale;
    for (int index = first_tile; index < end; ++index) {
        const Tile tile(a, index);
        tile.load<T, W>(a);
        __syncthreads();
        const PixelWork<Smooth> pixel(a, tile);
        float mean = 0;
        if (pixel.row)
            for (int c = pixel.lane; c < a.classes; c += pixel.width) mean += pixel.row[c] * outside[c];
        mean = pixel.sum(mean);
        if (pixel.row) {
            const bool counted = pixel.label >= 0;
            const float share = Smooth ? ce_scale * a.smoothing / float(a.classes) : 0.0f;
            float slope = 0, of_label = 0;
            if (counted) {
                const float rest = fmaxf(pixel.rest, 1e-30f);
                const float focus =
                    a.gamma > 0 ? __powf(rest, a.gamma - 1) * (rest - a.gamma * pixel.q * pixel.log_q) : 1.0f;
                slope = ce_scale * pixel.weight(a) * focus;
                if constexpr (Smooth) slope *= 1 - a.smoothing;
                mean += pixel.q * extra[pixel.label];
                of_label = pixel.q * (outside[pixel.label] + extra[pixel.label] - mean) - slope * pixel.rest;
                if constexpr (Smooth) slope += share * pixel.all_weights;
            }
            for (int c = pixel.lane; c < a.classes; c += pixel.width) {
                const float p = pixel.row[c], dz = p * (slope + (outside[c] - mean));
                pixel.row[c] = !counted ? 0.0f : c == pixel.label ? of_label : dz;
                if (Smooth && counted) {
                    const float w = a.class_weights ? a.class_weights[c] : 1.0f;
                    pixel.row[c] += share * ((c == pixel.label ? pixel.all_weights * p : 0.0f) - w);
                }
            }
        }
        __syncthreads();
        tile.store<T, W>(a);
        __syncthreads();
    }
}

// ---- launchers ----

constexpr int64_t tile_bytes_wanted = 24576;

template <class T>
LossArgs<T> loss_args(const View& z, const uint8_t* labels, const void* class_weights, const SoftmaxLossOptions& o) {
    LossArgs<T> k{};
    k.logits = z.as<T>(), k.labels = labels, k.class_weights = static_cast<const float*>(class_weights);
    k.pitch = z.pitch, k.image_pixels = z.h * z.w;
    k.channels = int(z.c), k.classes = int(classes_of(z)), k.ignore_index = o.ignore_index;
    k.gamma = float(o.gamma), k.smoothing = float(o.smoothing), k.by_channels = Divider(z.c);
    k.tile_pitch = k.classes | 1;
    for (k.threads_a_pixel = 1; k.threads_a_pixel < 8; k.threads_a_pixel *= 2)
        if (block_threads / k.threads_a_pixel * k.tile_pitch * int64_t(sizeof(float)) <= tile_bytes_wanted) break;
    k.tile_pixels = block_threads / k.threads_a_pixel;
    require(ceil_div(k.image_pixels, k.tile_pixels) < (int64_t(1) << 31),
            "softmax_loss: an image is beyond 2^36 pixels");
    k.tiles = int(ceil_div(k.image_pixels, k.tile_pixels));
    k.tiles_a_block = int(std::clamp<int64_t>(ceil_div(k.tiles, std::max<int64_t>(1, 2048 / z.n)), 1, 64));
    return k;
}

template <class T>
dim3 grid_of(const LossArgs<T>& k, int64_t images) {
    return dim3(unsigned(ceil_div(k.tiles, k.tiles_a_block)), 1, unsigned(images));
}
template <class T>
size_t shared_bytes(const LossArgs<T>& k) {
    return size_t(k.tile_pixels) * size_t(k.tile_pitch + 1) * sizeof(float);
}

// Vectors run over pixels as they lie: dense, every image beginning at one.
bool lies_in_vectors(const View& v, int wide) {
    return v.dense() && v.h * v.w * v.c % wide == 0 && aligned(v.data, wide * size_of(v.dtype));
}

template <class Args>
GroupArgs group_args(const Args& a) {
    GroupArgs g{};
    g.sums = static_cast<const float*>(a.sums), g.counts = a.counts;
    g.class_weights = static_cast<const float*>(a.class_weights);
    g.images = a.logits.n, g.classes = int(classes_of(a.logits)), g.first = int(first_class(a.logits, a.options));
    g.options = a.options;
    return g;
}

}  // namespace

void softmax_loss_forward(Queue& q, const SoftmaxLossForwardArgs& a) {
    check(a);
    const View& z = a.logits;
    require(z.n <= max_images, "softmax_loss: at most 65535 images at once");
    dispatch_gpu("softmax_loss_forward", z.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(lies_in_vectors(z, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("softmax_loss_forward", W);
            LossArgs<T> k = loss_args<T>(z, a.labels, a.class_weights, a.options);
            const dim3 grid = grid_of(k, z.n);
            const int columns = 3 * k.classes + 1;
            k.partials = q.scratch<float>(size_t(z.n) * grid.x * columns);
            launch(k.smoothing > 0 ? softmax_loss_sums_kernel<T, W, true> : softmax_loss_sums_kernel<T, W, false>, grid,
                   dim3(block_threads), shared_bytes(k), q.stream(), k);
            launch(finish_softmax_sums, dim3(unsigned(ceil_div(columns, finish_columns)), unsigned(z.n)),
                   dim3(finish_threads), 0, q.stream(),
                   FinishArgs{k.partials, static_cast<float*>(a.sums), a.counts, int(grid.x), k.classes});
        });
    });
    GroupArgs g = group_args(a);
    g.loss = static_cast<float*>(a.loss);
    launch(finish_softmax_loss, dim3(1), dim3(block_threads), 0, q.stream(), g);
}

void softmax_loss_backward(Queue& q, const SoftmaxLossBackwardArgs& a) {
    check(a);
    const View &z = a.logits, &dz = a.dlogits.view;
    require(z.n <= max_images, "softmax_loss: at most 65535 images at once");
    const size_t entries = size_t(z.n * classes_of(z));
    GroupArgs g = group_args(a);
    g.grad_output = static_cast<const float*>(a.grad_output);
    g.outside = q.scratch<float>(entries), g.extra = q.scratch<float>(entries), g.ce_scale = q.scratch<float>(1);
    launch(softmax_loss_coefficients, dim3(1), dim3(block_threads), 0, q.stream(), g);
    dispatch_gpu("softmax_loss_backward", z.dtype, [&](auto zero) {
        using T = decltype(zero);
        const bool vectors = lies_in_vectors(z, vector_width<T>) && lies_in_vectors(dz, vector_width<T>);
        with_width<vector_width<T>>(vectors, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("softmax_loss_backward", W);
            LossArgs<T> k = loss_args<T>(z, a.labels, a.class_weights, a.options);
            k.dlogits = dz.as<T>(), k.dlogits_pitch = dz.pitch, k.accumulate = a.dlogits.accumulate;
            k.outside = g.outside, k.extra = g.extra, k.ce_scale = g.ce_scale;
            launch(k.smoothing > 0 ? softmax_loss_gradient<T, W, true> : softmax_loss_gradient<T, W, false>,
                   grid_of(k, z.n), dim3(block_threads), shared_bytes(k), q.stream(), k);
        });
    });
}

}  // namespace atrous::kernels::cuda
