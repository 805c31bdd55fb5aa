// How far one result is from another, found on the GPU itself: at full size the host would take minutes.
#pragma once

#include "engine/tensor.h"

namespace atrous::bench {

struct Difference {
    double most = 0, most_truth = 0;        // max|a-b|, max|b|
    double squares = 0, squares_truth = 0;  // sum of (a-b)^2, of b^2
    double sum = 0, sum_truth = 0;          // sum of a, of b
    double nonfinite = 0;                   // elements of a that are NaN or infinite; the others count above
    double relative_most() const { return most / most_truth; }
    double relative_l2() const;  // ||a-b|| / ||b||
};

// a of any float type and b, the truth, in f32; dense, of one shape, on one GPU. Waits.
Difference difference(const Tensor& a, const Tensor& truth);

}  // namespace atrous::bench
