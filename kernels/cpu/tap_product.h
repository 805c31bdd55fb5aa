// The product at the heart of a convolution that skips taps: rows of C (output pixels), each the sum over a list of taps
// of a row of A (an input pixel) times the tap's weights. Every element is summed tap by tap, and within a tap channel by
// channel, whatever rows and threads share the work; with finite weights a tap left out is worth as much as one that reads zeros.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/queue.h"

namespace atrous::kernels::cpu {

struct TapProduct {
    int64_t n = 0, k = 0, taps = 0;  // channels of C and of A, taps of the weights
    const float* w = nullptr;        // element [tap][k][n] at these strides
    int64_t w_tap = 0, w_k = 0, w_n = 0;
    const float* bias = nullptr;  // [n] or absent
    bool accumulate = false;      // C += …
};

struct Tap {
    int64_t weights, offset;  // which of the weights' taps; where it reads, from a row of A on
};

// Rows of C and A, the pixels that read the same taps.
struct TapRows {
    const float* a = nullptr;
    float* c = nullptr;
    const int64_t *a_at = nullptr, *c_at = nullptr;  // where each row begins
    int64_t a_step = 0;                              // from one row of A to the next, mostly
    int64_t count = 0;                               // at most max_tap_rows
    const std::vector<Tap>* taps = nullptr;
};
inline constexpr int64_t max_tap_rows = 192;

// The weights, of the taps that are read, and the bias rearranged for multiply_taps().
struct PackedTaps {
    const float *w, *bias;
};
PackedTaps pack_taps(Queue&, const TapProduct&, const std::vector<int64_t>& taps_read);
int64_t tap_buffer_size(const TapProduct&);  // elements of a thread's buffer
void multiply_taps(const TapProduct&, const PackedTaps&, const TapRows&, float* buffer);

}  // namespace atrous::kernels::cpu
