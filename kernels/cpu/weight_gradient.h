// Weight gradients as outer products of pixels, which NHWC tensors offer without a rearrangement:
//   dw[g][r][s][c] = sum_{n,p,q} gradient[n,p,q,g]
//                                * image[n, p*stride - padding + r*dilation, q*stride - padding + s*dilation, c]
// The order of summation depends on the shapes alone, not on the number of threads.
#pragma once

#include "base/view.h"
#include "kernels/conv.h"

namespace atrous::kernels::cpu {

struct WeightGradient {
    View image, gradient;  // may be pitched
    int64_t r = 1, s = 1;
    ConvGeometry geometry;
    void* dw = nullptr;
    int64_t g_stride = 0, r_stride = 0, s_stride = 0, c_stride = 0;  // of dw, in elements
    bool accumulate = false;
};

template <class T>
void weight_gradient(Queue&, const WeightGradient&);

// The same of bf16 into f32.
void weight_gradient_of_pairs(Queue&, const WeightGradient&);
// Where that was measured to be faster than oneDNN (docs/performance-notes.md): on processors that multiply pairs of
// bf16 but have no tiles (AMX); not at 1x1, nor where there is so much to sum that it leaves a core's cache, nor so
// little that starting costs.
bool pairs_are_faster(const WeightGradient&);

// sums[c] (+)= sum over all pixels; in float for bf16.
void channel_sums(Queue&, const View&, VectorGradTarget sums);

}  // namespace atrous::kernels::cpu
