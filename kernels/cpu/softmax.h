// The probabilities of one pixel, for kernels whose work is elsewhere.
#pragma once

#include <algorithm>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/vector_math.h"

namespace atrous::kernels::cpu {

// p = softmax(z), of one channel the sigmoid.
template <class T, class A>
void probabilities(const T* z, int64_t channels, A* p) {
    if (channels == 1) {
        const A x = load(z[0]), e = vector_exp(x > 0 ? -x : x);
        p[0] = (x > 0 ? A(1) : e) / (1 + e);
        return;
    }
    A largest = load(z[0]), sum = 0;
    for (int64_t c = 1; c < channels; ++c) largest = std::max(largest, A(load(z[c])));
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) p[c] = vector_exp(load(z[c]) - largest);
    for (int64_t c = 0; c < channels; ++c) sum += p[c];
    const A inverse = 1 / sum;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) p[c] *= inverse;
}
// 1 - p[c] without cancellation.
template <class A>
A all_but(const A* p, int64_t channels, int64_t c) {
    A sum = 0;
    for (int64_t k = 0; k < channels; ++k) sum += k == c ? A(0) : p[k];
    return sum;
}

// The class of a label, or -1 where the pixel does not count.
inline int class_of(int label, int64_t channels, int ignore_index) {
    if (label == ignore_index) return -1;
    if (channels == 1) return label != 0;
    return label < channels ? label : -1;
}

}  // namespace atrous::kernels::cpu
