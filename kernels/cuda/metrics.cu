// Confusion counts. Grid: one dimension over chunks of pixels; a block of 256 threads owns a chunk, a thread every
// 256th pixel of it. Dynamic shared memory: classes^2 counters of 4 bytes, up to 48 KiB; with more classes the counters
// in global memory are used directly. Integer atomics: the order of additions does not matter.
#include "kernels/metrics.h"

#include <cmath>

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

using Count = unsigned long long;

template <class T>
struct ConfusionKernelArgs {
    const T* logits;
    const uint8_t* labels;
    Count* counts;
    int64_t pitch, pixels, pixels_per_block;
    int channels, classes, ignore_index;
    float thresholds[max_bit_classes];
    bool counters_in_shared;
};

template <class T, int W>
__device__ __forceinline__ int predicted_class(const ConfusionKernelArgs<T>& a, int64_t pixel) {
    const T* const logits = a.logits + pixel * a.pitch;
    if (a.channels == 1) return device_float(logits[0]) > a.thresholds[0];
    int best = 0;
    float best_value = -INFINITY;
    for (int c = 0; c < a.channels; c += W) {
        const Floats<W> value = load_floats<W>(logits + c);
#pragma unroll
        for (int i = 0; i < W; ++i)
            if (value.v[i] > best_value) best = c + i, best_value = value.v[i];
    }
    return best;
}

template <class T, int W>
__global__ void __launch_bounds__(block_threads) confusion_kernel(ConfusionKernelArgs<T> a) {
    unsigned* const counters = dynamic_shared<unsigned>();
    const int bins = a.classes * a.classes;
    if (a.counters_in_shared) {
        for (int i = int(threadIdx.x); i < bins; i += block_threads) counters[i] = 0;
        __syncthreads();
    }
    // Neighbours mostly agree: a thread counts a run of equal bins by itself.
    int bin = 0;
    unsigned run = 0;
    const auto flush = [&] {
        if (run == 0) return;
        if (a.counters_in_shared)
            atomicAdd(counters + bin, run);
        else
            atomicAdd(a.counts + bin, Count(run));
        run = 0;
    };
    const int64_t first = int64_t(blockIdx.x) * a.pixels_per_block, last = min(a.pixels, first + a.pixels_per_block);
    for (int64_t pixel = first + threadIdx.x; pixel < last; pixel += block_threads) {
        const int label = a.labels[pixel], truth = a.channels == 1 ? label != 0 : label;
        if (label == a.ignore_index || truth >= a.classes) continue;
        const int here = truth * a.classes + predicted_class<T, W>(a, pixel);
        if (here != bin) flush();
        bin = here;
        ++run;
    }
    flush();
    if (!a.counters_in_shared) return;
    __syncthreads();
    for (int i = int(threadIdx.x); i < bins; i += block_threads)
        if (counters[i] != 0) atomicAdd(a.counts + i, Count(counters[i]));
}

// Of labels in bits. A thread counts in registers; each block then adds up in shared memory, 88 bytes of it.
template <class T>
__global__ void __launch_bounds__(block_threads) bit_counts_kernel(ConfusionKernelArgs<T> a) {
    constexpr int most = int(max_bit_classes), sums = 3 * most + 1;  // truth, predicted, both of each class; counted
    __shared__ unsigned shared[sums];
    if (int(threadIdx.x) < sums) shared[threadIdx.x] = 0;
    __syncthreads();
    unsigned mine[sums] = {};
    const int64_t first = int64_t(blockIdx.x) * a.pixels_per_block, last = min(a.pixels, first + a.pixels_per_block);
    for (int64_t pixel = first + threadIdx.x; pixel < last; pixel += block_threads) {
        const int label = a.labels[pixel];
        if (label == a.ignore_index) continue;
        const T* const logits = a.logits + pixel * a.pitch;
        mine[3 * most] += 1;
#pragma unroll
        for (int c = 0; c < most; ++c) {
            if (c >= a.channels) break;
            const unsigned truth = label >> c & 1, predicted = device_float(logits[c]) > a.thresholds[c];
            mine[3 * c] += truth, mine[3 * c + 1] += predicted, mine[3 * c + 2] += truth & predicted;
        }
    }
#pragma unroll
    for (int i = 0; i < sums; ++i)
        if (mine[i] != 0) atomicAdd(shared + i, mine[i]);
    __syncthreads();
    const int c = int(threadIdx.x);
    if (c >= a.channels) return;
    const Count truth = shared[3 * c], predicted = shared[3 * c + 1], both = shared[3 * c + 2];
    Count* const counts = a.counts + 4 * c;
    atomicAdd(counts, shared[3 * most] - truth - predicted + both);
    atomicAdd(counts + 1, predicted - both);
    atomicAdd(counts + 2, truth - both);
    atomicAdd(counts + 3, both);
}

// ---- launchers ----

// value > threshold for floats is value > (the largest float that is not above threshold).
float float_not_above(double threshold) {
    const float nearest = float(threshold);
    return double(nearest) > threshold ? std::nextafter(nearest, -INFINITY) : nearest;
}

template <class T>
ConfusionKernelArgs<T> kernel_args(const ConfusionArgs& a, int classes, bool in_shared) {
    const int64_t pixels = a.logits.pixels();
    const int64_t per_block = ceil_div(std::max<int64_t>(4096, pixels / 2048), block_threads) * block_threads;
    ConfusionKernelArgs<T> k{a.logits.as<T>(),
                             a.labels,
                             reinterpret_cast<Count*>(a.counts),
                             a.logits.pitch,
                             pixels,
                             per_block,
                             int(a.logits.c),
                             classes,
                             a.ignore_index,
                             {},
                             in_shared};
    for (int64_t c = 0; c < max_bit_classes; ++c) k.thresholds[c] = float_not_above(a.thresholds[c]);
    return k;
}

template <class T>
void count_bits(Queue& q, const ConfusionArgs& a) {
    ran("confusion/bits");
    const ConfusionKernelArgs<T> k = kernel_args<T>(a, int(a.logits.c), true);
    launch(bit_counts_kernel<T>, dim3(unsigned(ceil_div(k.pixels, k.pixels_per_block))), dim3(block_threads), 0,
           q.stream(), k);
}

}  // namespace

void confusion(Queue& q, const ConfusionArgs& a) {
    check(a);
    const int64_t pixels = a.logits.pixels();
    if (pixels == 0) return;
    dispatch_gpu("confusion", a.logits.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (a.form == LabelForm::bits) return count_bits<T>(q, a);
        with_width<vector_width<T>>(groups_fit(a.logits, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("confusion", W);
            const int classes = a.logits.c == 1 ? 2 : int(a.logits.c);
            const size_t bytes = size_t(classes) * classes * sizeof(unsigned);
            const bool in_shared = bytes <= 48 * 1024;
            const ConfusionKernelArgs<T> k = kernel_args<T>(a, classes, in_shared);
            launch(confusion_kernel<T, W>, dim3(unsigned(ceil_div(pixels, k.pixels_per_block))), dim3(block_threads),
                   in_shared ? bytes : 0, q.stream(), k);
        });
    });
}

}  // namespace atrous::kernels::cuda
