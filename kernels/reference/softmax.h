// The probabilities of a pixel, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

// Softmax of the logits; of one channel the sigmoid.
template <class T>
std::vector<double> probabilities(const View& logits, int64_t pixel) {
    std::vector<double> p(size_t(logits.c));
    for (int64_t c = 0; c < logits.c; ++c) p[c] = double(at<T>(logits, pixel, c));
    if (logits.c == 1) return {1 / (1 + std::exp(-p[0]))};
    const double largest = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (double& x : p) sum += x = std::exp(x - largest);
    for (double& x : p) x /= sum;
    return p;
}
// 1 - p[c] without cancellation.
inline double all_but(const std::vector<double>& p, int64_t c) {
    double sum = 0;
    for (int64_t k = 0; k < int64_t(p.size()); ++k) sum += k == c ? 0 : p[k];
    return sum;
}

// The class of a label, or -1 where the pixel does not count.
inline int64_t class_of(int label, int64_t channels, int ignore_index) {
    if (label == ignore_index) return -1;
    if (channels == 1) return label != 0;
    return label < channels ? label : -1;
}

}  // namespace atrous::kernels::reference
