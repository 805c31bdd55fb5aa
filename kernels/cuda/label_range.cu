// Labels out of range, in two launches. Grid: one dimension over chunks of labels; a block of 256 threads owns a chunk, of
// which a thread reads every 256th group of 16 labels (single ones where labels are not aligned to 16 bytes). Then one block
// merges what the chunks found. Shared memory: 4 KiB. No atomics, and nothing that has to be set before.
#include "kernels/label_range.h"

#include <algorithm>
#include <cstdint>

#include "base/variant.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

constexpr int64_t nowhere = INT64_MAX;

struct Found {
    int64_t count, first;

    __device__ __forceinline__ void add(const Found& other) {
        count += other.count;
        first = first < other.first ? first : other.first;
    }
};

struct SearchArgs {
    const uint8_t* labels;
    int64_t count, labels_per_block;
    int classes, ignore_index;
    Found* chunks;

    __device__ __forceinline__ void look(int label, int64_t at, Found& found) const {
        if (is_out_of_range(label, classes, ignore_index)) found.add({1, at});
    }
};

// What the whole block found, for thread 0 alone. `all` is shared memory for a Found a thread.
__device__ __forceinline__ Found merged(Found* all, const Found& mine) {
    const int thread = int(threadIdx.x);
    all[thread] = mine;
    for (int half = block_threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) all[thread].add(all[thread + half]);
    }
    return thread == 0 ? all[0] : mine;  // others would read while thread 0 still adds
}

template <int W>
__global__ void __launch_bounds__(block_threads) search_labels(SearchArgs a) {
    __shared__ Found shared[block_threads];
    Found mine{0, nowhere};
    const int64_t first = int64_t(blockIdx.x) * a.labels_per_block, last = min(a.count, first + a.labels_per_block);
    for (int64_t at = first + int64_t(threadIdx.x) * W; at < last; at += int64_t(block_threads) * W) {
        if (at + W > last) {
            for (int64_t i = at; i < last; ++i) a.look(a.labels[i], i, mine);
            continue;
        }
        const Vec<uint8_t, W> labels = load_vector<W>(a.labels + at);
#pragma unroll
        for (int i = 0; i < W; ++i) a.look(labels.v[i], at + i, mine);
    }
    const Found block = merged(shared, mine);
    if (threadIdx.x == 0) a.chunks[blockIdx.x] = block;
}

struct MergeArgs {
    const Found* chunks;
    int64_t count;
    const uint8_t* labels;
    LabelsOutOfRange* found;
};

__global__ void __launch_bounds__(block_threads) merge_chunks(MergeArgs a) {
    __shared__ Found shared[block_threads];
    Found mine{0, nowhere};
    for (int64_t i = threadIdx.x; i < a.count; i += block_threads) mine.add(a.chunks[i]);
    const Found all = merged(shared, mine);
    if (threadIdx.x != 0) return;
    a.found->count = all.count;
    a.found->first = all.count > 0 ? all.first : -1;
    a.found->label = all.count > 0 ? a.labels[all.first] : 0;
}

}  // namespace

// ---- launcher ----

void label_range(Queue& q, const LabelRangeArgs& a) {
    check(a);
    constexpr int wide = 16;
    constexpr int64_t step = block_threads * wide;  // labels that a block takes at once
    with_width<wide>(aligned(a.labels, wide), [&](auto width) {
        constexpr int W = decltype(width)::value;
        ran_width("label_range", W);
        const int64_t per_block = ceil_div(std::max<int64_t>(4 * step, a.count / 1024), step) * step;
        const int64_t chunks = ceil_div(a.count, per_block);
        auto* const found = q.scratch<Found>(size_t(chunks));
        launch(search_labels<W>, dim3(unsigned(chunks)), dim3(block_threads), 0, q.stream(),
               SearchArgs{a.labels, a.count, per_block, a.classes, a.ignore_index, found});
        launch(merge_chunks, dim3(1), dim3(block_threads), 0, q.stream(), MergeArgs{found, chunks, a.labels, a.found});
    });
}

}  // namespace atrous::kernels::cuda
