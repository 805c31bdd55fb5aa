// A stable sort of segments of equal length on a GPU: 32-bit keys with 32-bit values, by digits of four bits from the
// lowest (Satish, Harris, Garland: Designing efficient sorting algorithms for manycore GPUs, IPDPS 2009). How many
// kernels run and with how many blocks depends on the lengths alone, so that a recorded step replays it.
#pragma once

#include <cstdint>

#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels::cuda {

constexpr int sort_tile = 2048;  // elements of a segment that a block holds

struct Segments {
    uint32_t *keys, *values;  // [count][length]
    int64_t count, length;

    int tiles() const { return int(ceil_div(length, sort_tile)); }
};
// Sorts every segment by its keys, upwards; equal keys stay in order. Takes as much scratch memory again.
void sort_segments(Queue& q, const Segments& segments);

// Replaces the entries of each of `count` arrays by the sum of those in front of them.
void scan_arrays(Queue& q, int* entries, int64_t count, int64_t length);

}  // namespace atrous::kernels::cuda
